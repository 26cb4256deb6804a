export declare const exceptions: readonly {
  readonly title: RegExp;
  readonly row: string;
  readonly why: string;
}[];
export declare const nativeFiles: readonly string[];
