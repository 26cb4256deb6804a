import { inspect } from 'node:util';
import { GevOptionsError } from './errors.js';
import type { ForeignOptions } from './foreign-options.js';

/** What any whole-number option may be at most: what the native side keeps it in. */
export const MAX_INT32 = 2 ** 31 - 1;
const MAX_PORT = 65_535;
const PIPE_NAME = /^[\\/]{2}[.?][\\/]pipe[\\/]./i;

/** The options that were given: `undefined` and `null` stand for an option that is left out. */
export function given<Options extends object>(options: Options): Options {
  const present = Object.entries(options).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(present) as Options;
}

/** A port, as a number or, as environment variables have it, in digits. */
export function port<Options extends object>(
  options: Options,
  name: keyof Options & string,
  least: 0 | 1,
): number | undefined {
  const value: unknown = options[name];
  const number = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
  if (number === undefined || isIntegerIn(number, least, MAX_PORT)) return number;
  throw refuse(name, value, `an integer from ${least} to ${MAX_PORT}`);
}

/** A whole number within bounds; undefined where the option is left out. */
export function integer<Options extends object>(
  options: Options,
  name: keyof Options & string,
  least: number,
  most: number,
): number | undefined {
  const value: unknown = options[name];
  if (value === undefined || isIntegerIn(value, least, most)) return value;
  throw refuse(name, value, `an integer from ${least} to ${most}`);
}

/** As {@link integer}, fractions allowed. */
export function numeric<Options extends object>(
  options: Options,
  name: keyof Options & string,
  least: number,
  most: number,
): number | undefined {
  const value: unknown = options[name];
  if (value === undefined || (typeof value === 'number' && value >= least && value <= most)) return value;
  throw refuse(name, value, `a number from ${least} to ${most}`);
}

/** A whole number that goes by two names, ours and Nest's. */
export function aliased<Options extends object>(
  options: Options,
  name: keyof Options & string,
  nestName: keyof Options & string,
  least: number,
  most: number,
): number | undefined {
  const value = integer(options, name, least, most);
  const nestValue = integer(options, nestName, least, most);
  if (value !== undefined && nestValue !== undefined) {
    throw new GevOptionsError(
      nestName,
      `Option "${nestName}" is another name of "${name}": give one of them`,
    );
  }
  return value ?? nestValue;
}

/** An object that has a method of that name. */
export function withMethod<Options extends object, Name extends keyof Options & string>(
  options: Options,
  name: Name,
  method: string,
): Options[Name] | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  if (typeof (value as Record<string, unknown> | null)?.[method] === 'function') return value;
  throw refuse(name, value, `an object with the method ${method}`);
}

export function flag<Options extends object>(
  options: Options,
  name: keyof Options & string,
): boolean | undefined {
  const value: unknown = options[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw refuse(name, value, 'true or false');
}

export function text<Options extends object>(
  options: Options,
  name: keyof Options & string,
): string | undefined {
  const value: unknown = options[name];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value.length > 0 && !value.includes('\0')) return value;
  throw refuse(name, value, 'a non-empty string without NUL');
}

/** The path of a Unix socket; on Windows the name of a pipe, which is no file. */
export function socketPath<Options extends object>(
  options: Options,
  name: keyof Options & string,
  platform = process.platform,
): string | undefined {
  const path = text(options, name);
  if (path === undefined || platform !== 'win32' || PIPE_NAME.test(path)) return path;
  throw refuse(name, path, String.raw`on Windows the name of a pipe, such as \\.\pipe\orders`);
}

export function choice<Options extends object, Value extends string>(
  options: Options,
  name: keyof Options & string,
  allowed: readonly Value[],
): Value | undefined {
  const value: unknown = options[name];
  if (value === undefined) return undefined;
  if ((allowed as readonly unknown[]).includes(value)) return value as Value;
  throw refuse(name, value, `one of ${allowed.map((each) => `'${each}'`).join(', ')}`);
}

/** Refuses a lower bound above its upper one. */
export function inOrder(smaller: string, small: number, greater: string, great: number): void {
  if (small <= great) return;
  throw new GevOptionsError(
    smaller,
    `Option "${smaller}" (${small}) must not be greater than "${greater}" (${great})`,
  );
}

/** Where options stand that are checked for unknown names. */
export interface OptionsPlace {
  /** What stands before the name: `reconnect.` */
  readonly within?: string;
  /** Whose options they are, where that does not go without saying: `@OnMessage()` */
  readonly owner?: string;
  /** Options that others have, with what to do instead. */
  readonly foreign?: ForeignOptions;
}

/**
 * Refuses a name that nobody knows, with the one that was probably meant.
 *
 * @throws GevOptionsError
 */
export function refuseUnknown(
  options: object,
  known: readonly string[],
  { within = '', owner, foreign = {} }: OptionsPlace = {},
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const what = `${owner === undefined ? 'There is no' : `${owner} has no`} option "${within}${name}"`;
    const instead = Object.hasOwn(foreign, name) ? `: ${foreign[name]}` : meant(name, known, 'options');
    throw new GevOptionsError(`${within}${name}`, what + instead);
  }
}

/** The end of a message about a name that nobody knows: what was meant, or what there is. */
export function meant(name: string, known: readonly string[], kind: string): string {
  const near = nearest(name, known);
  if (near !== undefined) return `: did you mean "${near}"?`;
  return known.length === 0 ? `; there are no ${kind}` : `; ${kind}: ${known.join(', ')}`;
}

/** The members of an option that is an object, under their full names: `reconnect.factor`. */
export function nested(
  value: unknown,
  name: string,
  known: readonly string[],
  or = '',
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) {
    throw refuse(name, value, `an object of ${known.join(', ')}${or === '' ? '' : ` ${or}`}`);
  }
  const present = given(value);
  refuseUnknown(present, known, { within: `${name}.` });
  return Object.fromEntries(
    Object.entries(present).map(([key, member]) => [`${name}.${key}`, member as unknown]),
  );
}

export function refuse(option: string, value: unknown, allowed: string): GevOptionsError {
  return new GevOptionsError(option, `Option "${option}" must be ${allowed}, not ${show(value)}`);
}

export function show(value: unknown): string {
  return inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 60 });
}

export function isIntegerIn(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}

/** The known name closest to one that nobody knows, if one is close enough to be a slip. */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Infinity;
  for (const known of names) {
    const distance = likeness(name, known);
    if (distance === undefined || distance >= least) continue;
    best = known;
    least = distance;
  }
  return best;
}

/** How many letters one name is off another, upper and lower case alike; undefined where that is no slip. */
export function likeness(name: string, known: string): number | undefined {
  const distance = editDistance(name.toLowerCase(), known.toLowerCase());
  return distance <= Math.floor(name.length / 4) + 1 ? distance : undefined;
}

/** Levenshtein: insertions, deletions and substitutions of one letter. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let line = 1; line <= left.length; line++) {
    const next = [line];
    for (let column = 1; column <= right.length; column++) {
      const substitution = row[column - 1]! + (left[line - 1] === right[column - 1] ? 0 : 1);
      next.push(Math.min(row[column]! + 1, next[column - 1]! + 1, substitution));
    }
    row = next;
  }
  return row[right.length]!;
}
