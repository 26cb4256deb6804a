import type { Child } from './child.js';

/** Where samples lie that are built: in this tree, or beside a package without its binaries. */
export const SAMPLES = process.env.GEV_SAMPLES ?? 'sample/dist';
/** No binary fits: whoever needs an engine says so in one warning. */
export const hasBinaries = process.env.GEV_SAMPLES === undefined;

const WARNING =
  /\[GEV_JAVASCRIPT_ENGINE\] GevWarning: No native addon for \S+ \(not found\): the JavaScript engine serves/;
const END_OF_WARNING = /^\(Use `node --trace-warnings/;

/** How often it has warned that the JavaScript engine serves. */
export function warningsOf({ errors }: Child): number {
  return errors.filter((line) => WARNING.test(line)).length;
}

/** What it said on stderr, without that warning. */
export function errorsOf({ errors }: Child): string[] {
  const start = errors.findIndex((line) => WARNING.test(line));
  if (start === -1) return errors;
  const end = errors.findIndex((line) => END_OF_WARNING.test(line));
  return errors.toSpliced(start, end + 1 - start);
}
