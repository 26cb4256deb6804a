import { types } from 'node:util';
import { ERROR_TAG } from '../protocol/nest-json/vocabulary.js';
import { GevRemoteError } from './client-errors.js';
import { flag, nested, refuse, withMethod } from './option-checks.js';

/** A class of errors, of whatever constructor. */
export type GevErrorClass = abstract new (...args: never[]) => Error;

/** What {@link errorCodec} takes. */
export interface GevErrorCodecOptions {
  /**
   * Errors that callers are meant to see: told with all their enumerable members, and made again at the client, where the
   * same class is given, without its constructor. Classes are known by their names. Default: none.
   */
  readonly classes?: readonly GevErrorClass[];
  /**
   * Errors of other classes that a handler throws are told, too, by name, message and code. Default: false, their callers
   * are told "Internal server error".
   */
  readonly unexpected?: boolean;
  /** Stacks are sent, and kept where they come. Default: false. */
  readonly stack?: boolean;
}

/**
 * How errors of handlers travel: {@link errorCodec} makes one. It has no state, and may serve many servers and clients.
 *
 * @publicApi
 */
export interface GevErrorCodec {
  /**
   * What is sent as a reply's `err`.
   *
   * @param error what a handler, a guard, a pipe or an interceptor has failed with
   * @param told what Nest tells the caller of it
   * @param unexpected nobody has meant it for the caller: Nest says no more than "Internal server error"
   */
  encode(error: unknown, told: unknown, unexpected: boolean): unknown;
  /** What a subscriber gets of a reply's `err`. */
  decode(err: unknown): unknown;
  /**
   * Whether an error is meant for callers, whoever throws it: {@link GevExceptionFilter} hands it over as if an `RpcException`
   * carried it, and does not log it. Left out: none is.
   */
  expects?(error: unknown): boolean;
}

/**
 * Option `errors`: as Nest has it (`'nest'`), in detail whatever is thrown (`'detailed'`, which is
 * `errorCodec({ unexpected: true })`), or a codec of your own.
 */
export type GevErrors = 'nest' | 'detailed' | GevErrorCodec;

/**
 * Has the name, message, code, cause and data of errors arrive, and errors that are `instanceof` their class. Give it to both
 * sides; a client without it, and Nest's own, get a plain object with `status` and `message`, as ever.
 *
 * Told are errors of the `classes`, `HttpException`s, and errors that are meant for the caller: what an `RpcException` or a
 * filter of yours carries. What else is thrown Nest replaces before the server sees it, unless {@link GevExceptionFilter}
 * stands in its place.
 *
 * @throws GevOptionsError
 * @example
 * ```ts
 * export const errors = errorCodec({ classes: [OrderNotFound] });
 *
 * new GevServer({ errors });
 * app.useGlobalFilters(new GevExceptionFilter());
 * ClientsModule.register([{ name: 'ORDERS', ...gevClient({ errors }) }]);
 * ```
 * @publicApi
 */
export function errorCodec(options: GevErrorCodecOptions = {}): GevErrorCodec {
  const members = nested(options, 'errorCodec', ['classes', 'unexpected', 'stack']);
  return new ErrorCodec(
    classesByName(options.classes ?? []),
    flag(members, 'errorCodec.unexpected') ?? false,
    flag(members, 'errorCodec.stack') ?? false,
  );
}

/** @throws GevOptionsError */
export function resolveErrors(options: { readonly errors?: GevErrors }): GevErrorCodec | undefined {
  const { errors } = options;
  if (errors === undefined || errors === 'nest') return undefined;
  if (errors === 'detailed') return errorCodec({ unexpected: true });
  if (typeof errors !== 'object') throw refuse('errors', errors, "'nest', 'detailed' or an errorCodec()");
  withMethod(options, 'errors', 'encode');
  withMethod(options, 'errors', 'decode');
  return errors;
}

/** How many causes of causes travel. */
const MAX_CAUSES = 8;
/** Members that have a place of their own; what an HttpException was made with is in the others. */
const NOT_DATA = new Set(['message', 'name', 'code', 'cause', 'stack', 'options', '__proto__']);

/** An error on the wire. To clients that know nothing of this, it is one of Nest's. Nothing of it is to be trusted. */
interface ErrorPacket {
  readonly status?: unknown;
  readonly message?: unknown;
  readonly name?: unknown;
  /** The class to be made of it. */
  readonly class?: unknown;
  readonly code?: unknown;
  readonly data?: unknown;
  readonly stack?: unknown;
  readonly cause?: unknown;
  readonly [ERROR_TAG]?: unknown;
}

class ErrorCodec implements GevErrorCodec {
  constructor(
    private readonly classes: ReadonlyMap<string, GevErrorClass>,
    private readonly unexpected: boolean,
    private readonly stack: boolean,
  ) {}

  encode(error: unknown, told: unknown, unexpected: boolean): unknown {
    if (!isError(error)) return told;
    // What an RpcException carries is its word for callers.
    const meant = !unexpected && !isRpcException(error);
    return meant || this.tells(error) ? this.write(error, 0) : told;
  }

  decode(err: unknown): unknown {
    return this.read(err, 0);
  }

  expects(error: unknown): boolean {
    return isError(error) && (this.className(error) !== undefined || isHttpException(error));
  }

  /** Whether an error is told that nobody has handed over to the caller. */
  private tells(error: Error): boolean {
    return this.expects(error) || (this.unexpected && !isRpcException(error));
  }

  private write(error: Error, depth: number): ErrorPacket {
    const className = this.className(error);
    const { code } = error as { readonly code?: unknown };
    return {
      status: 'error',
      message: String(error.message),
      name: nameOf(error),
      ...(className !== undefined && { class: className }),
      ...(isCode(code) && { code }),
      ...((className !== undefined || isHttpException(error)) && { data: dataOf(error) }),
      ...(this.stack && { stack: String(error.stack) }),
      ...this.causeOf(error, depth),
      [ERROR_TAG]: 1,
    };
  }

  private causeOf({ cause }: Error, depth: number): Pick<ErrorPacket, 'cause'> {
    if (!isError(cause) || depth === MAX_CAUSES || !this.tells(cause)) return {};
    return { cause: this.write(cause, depth + 1) };
  }

  private read(err: unknown, depth: number): Error {
    const packet = (isObject(err) ? err : { message: err }) as ErrorPacket;
    const own = packet[ERROR_TAG] === 1;
    const message = typeof packet.message === 'string' ? packet.message : 'The server replied with an error';
    const name = typeof packet.name === 'string' ? packet.name : undefined;
    const code = isCode(packet.code) ? packet.code : undefined;
    const cause = own && depth < MAX_CAUSES ? this.readCause(packet.cause, depth + 1) : undefined;
    const known = own && typeof packet.class === 'string' ? packet.class : undefined;
    const errorClass = known === undefined ? undefined : this.classes.get(known);
    const error =
      errorClass === undefined
        ? new GevRemoteError(message, { name, code, cause, data: own ? packet.data : err })
        : make(errorClass, { message, name, code, cause, data: packet.data });
    const stack = this.stack && typeof packet.stack === 'string' ? packet.stack : `${error.name}: ${message}`;
    define(error, 'stack', stack, false);
    return error;
  }

  private readCause(cause: unknown, depth: number): unknown {
    return isObject(cause) && (cause as ErrorPacket)[ERROR_TAG] === 1 ? this.read(cause, depth) : cause;
  }

  /** The nearest class that is known here. */
  private className(error: Error): string | undefined {
    let prototype = Object.getPrototypeOf(error) as object | null;
    for (; prototype !== null; prototype = Object.getPrototypeOf(prototype) as object | null) {
      const name = (prototype.constructor as { readonly name?: string } | undefined)?.name;
      if (name !== undefined && this.classes.get(name)?.prototype === prototype) return name;
    }
    return undefined;
  }
}

/** What was read of an error. */
interface ErrorParts {
  readonly message: string;
  readonly name: string | undefined;
  readonly code: string | number | undefined;
  readonly cause: unknown;
  readonly data: unknown;
}

/** An error of a class, without calling its constructor. What came as data does not hide what the class itself has. */
function make({ prototype }: GevErrorClass, { message, name, code, cause, data }: ErrorParts): Error {
  const error = Object.setPrototypeOf(new Error(message), prototype as object) as Error;
  const members = { ...(isObject(data) ? data : {}), code };
  for (const [key, value] of Object.entries(members)) {
    if (value !== undefined && !NOT_DATA.has(key) && !(key in prototype)) define(error, key, value, true);
  }
  if (code !== undefined && !('code' in prototype)) define(error, 'code', code, true);
  if (name !== undefined && error.name !== name) define(error, 'name', name, false);
  if (cause !== undefined) define(error, 'cause', cause, false);
  return error;
}

/** Sets a member of its own, whatever its prototype has by that name. */
function define(error: Error, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true });
}

/** The members that JSON has a text for. An error that says by `toJSON()` what is to be shown of it is taken at its word. */
function dataOf(error: Error): Record<string, unknown> {
  const { toJSON } = error as { readonly toJSON?: unknown };
  const shown: unknown = typeof toJSON === 'function' ? (toJSON as () => unknown).call(error) : error;
  const data: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(isObject(shown) ? shown : {})) {
    if (!NOT_DATA.has(key) && hasJson(value)) data[key] = value;
  }
  return data;
}

function hasJson(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined;
  } catch {
    return false;
  }
}

/** A class that gives its errors no name is named itself. */
function nameOf(error: Error): string {
  return String(error.name === 'Error' ? error.constructor.name : error.name);
}

function classesByName(classes: readonly GevErrorClass[]): ReadonlyMap<string, GevErrorClass> {
  const named = new Map<string, GevErrorClass>();
  const what = 'an array of classes of errors with different names';
  if (!Array.isArray(classes)) throw refuse('errorCodec.classes', classes, what);
  for (const each of classes as readonly GevErrorClass[]) {
    const isClass = typeof each === 'function' && isObject(each.prototype) && each.prototype instanceof Error;
    if (!isClass || each.name === '' || named.has(each.name))
      throw refuse('errorCodec.classes', classes, what);
    named.set(each.name, each);
  }
  return named;
}

/** Of any realm. */
function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/** Nest's, of whatever copy of it: known by what they can do. */
function isHttpException(error: Error): boolean {
  return hasMethod(error, 'getStatus') && hasMethod(error, 'getResponse');
}

function isRpcException(error: Error): boolean {
  return hasMethod(error, 'getError');
}

function hasMethod(error: Error, name: string): boolean {
  return typeof (error as unknown as Record<string, unknown>)[name] === 'function';
}

function isCode(code: unknown): code is string | number {
  return typeof code === 'string' || typeof code === 'number';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
