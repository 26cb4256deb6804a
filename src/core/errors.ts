import { formatAddress } from './address.js';
import { isBranded } from './both-builds.js';
import type { CloseReason } from './close-reason.js';
import { protocolMessage } from './protocol-message.js';
import { typeName } from './values.js';

/** What an error may carry beside its message. */
export interface GevErrorDetails {
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** The system's number for it, positive as in errno.h. */
  readonly errno?: number | undefined;
  /** The system call that failed. */
  readonly syscall?: string | undefined;
}

const BRAND = Symbol.for('gev:error');

/**
 * The root of every error this package throws. Test `code`, which is stable, rather than the message. `instanceof` holds for
 * errors of the package's other build, too, where a process has loaded both.
 *
 * @publicApi
 */
export class GevError extends Error {
  /** `ERR_GEV_…`, or the system's own code (`EADDRINUSE`, `ECONNRESET`…) where the system refused. */
  readonly code: string;
  readonly errno?: number;
  readonly syscall?: string;

  constructor(code: string, message: string, details: GevErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    if (details.errno !== undefined) this.errno = details.errno;
    if (details.syscall !== undefined) this.syscall = details.syscall;
  }

  /** @internal */
  get [BRAND](): true {
    return true;
  }

  /** @internal What the other build has made is known by its brand, and the classes of both by their names. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
    return isBranded(value, BRAND) && classNames(value as object).includes(this.name);
  }
}

function classNames(value: object): string[] {
  const names: string[] = [];
  for (let prototype = value; prototype !== null; prototype = Object.getPrototypeOf(prototype) as object) {
    names.push(prototype.constructor.name);
  }
  return names;
}

/**
 * An option has a value it cannot have. The message names the option, the value and what is allowed.
 *
 * @publicApi
 */
export class GevOptionsError extends GevError {
  constructor(
    /** The name of the option. */
    readonly option: string,
    message: string,
    details?: GevErrorDetails,
  ) {
    super('ERR_GEV_INVALID_OPTION', message, details);
  }
}

/** Where a listen that failed was to listen. */
export interface GevListenTarget {
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  readonly path?: string | undefined;
}

const LISTEN_REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'the address is in use; stop the other process, choose another port, or set reusePort to share it',
  EACCES: 'permission denied; ports below 1024 and protected folders need a privilege',
  EADDRNOTAVAIL: 'no interface of this machine has that address; use one of its own, 0.0.0.0 or ::',
  ENOENT: 'the folder of the socket path does not exist; create it first',
  ENOTFOUND: 'the host name does not resolve',
  EAI_AGAIN: 'the name server did not answer',
  ENAMETOOLONG: 'the socket path is too long for this system (about 100 bytes)',
  EMFILE: 'this process has no file descriptor left; raise its limit (ulimit -n)',
};

/**
 * The server could not listen. `code` is the system's own (`EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, `ENOENT`…).
 *
 * @publicApi
 */
export class GevListenError extends GevError {
  readonly address?: string;
  readonly port?: number;
  readonly path?: string;

  constructor(code: string, target: GevListenTarget, details: GevErrorDetails = {}) {
    const remedy = LISTEN_REMEDIES[code];
    super(code, `Cannot listen on ${formatAddress(target)}: ${code}${remedy ? ` (${remedy})` : ''}`, details);
    if (target.address !== undefined) this.address = target.address;
    if (target.port !== undefined) this.port = target.port;
    if (target.path !== undefined) this.path = target.path;
  }
}

/** Where a dial that failed was to connect. */
export type GevConnectTarget = GevListenTarget;

const CONNECT_REMEDIES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there; start the server, or correct the address',
  ECONNRESET: 'the peer hung up at once; see the log of the server',
  ETIMEDOUT: 'no answer in time; check the address and the firewall, or raise the timeout',
  ENOENT: 'there is no such socket; start the server, or correct the path',
  EACCES: 'permission denied; the user of this process must be allowed to write to the socket',
  EAGAIN: 'the peer has no room for another waiting connection, or no local port is free; try again later',
  ENOTFOUND: 'the host name does not resolve',
  EAI_AGAIN: 'the name server did not answer',
  EHOSTUNREACH: 'there is no route to that address from here',
  ENETUNREACH: 'there is no route to that network from here',
  EINVAL: 'give a numeric address; one with a scope must name an interface of this machine',
  EADDRNOTAVAIL: 'no local address or port is free for it',
  ENAMETOOLONG: 'the socket path is too long for this system (about 100 bytes)',
  EMFILE: 'this process has no file descriptor left; raise its limit (ulimit -n)',
  ENFILE: 'the system has no file descriptor left',
  ECANCELED: 'it was cancelled, or the reactor does not run: start() it first',
};

/**
 * A connection could not be made. `code` is the system's own (`ECONNREFUSED`, `ETIMEDOUT`, `ENOENT`, `ECANCELED`…).
 *
 * @publicApi
 */
export class GevConnectError extends GevError {
  readonly address?: string;
  readonly port?: number;
  readonly path?: string;

  constructor(code: string, target: GevConnectTarget, details: GevErrorDetails = {}) {
    const remedy = CONNECT_REMEDIES[code];
    super(
      code,
      `Cannot connect to ${formatAddress(target)}: ${code}${remedy ? ` (${remedy})` : ''}`,
      details,
    );
    if (target.address !== undefined) this.address = target.address;
    if (target.port !== undefined) this.port = target.port;
    if (target.path !== undefined) this.path = target.path;
  }
}

/**
 * The connection is closing or closed, so what was sent cannot arrive.
 *
 * @publicApi
 */
export class GevConnectionClosedError extends GevError {
  constructor(
    /** Why it closed; undefined while it is still closing. */
    readonly reason?: CloseReason,
    details?: GevErrorDetails,
  ) {
    super('ERR_GEV_CONNECTION_CLOSED', `The connection is closed${reason ? ` (${reason})` : ''}`, details);
  }
}

/**
 * More output waited for the peer than `maxSendBuffer` allows.
 *
 * @publicApi
 */
export class GevBackpressureError extends GevError {
  constructor(message: string, details?: GevErrorDetails) {
    super('ERR_GEV_BACKPRESSURE', message, details);
  }
}

/**
 * Two servers of an application have one name, or no server has the name that was asked for.
 *
 * @publicApi
 */
export class GevServerNameError extends GevError {
  constructor(
    /** Undefined: the server without a name. */
    readonly serverName: string | undefined,
    message: string,
  ) {
    super('ERR_GEV_SERVER_NAME', message);
  }
}

/**
 * One server was given two handlers of requests with the same pattern, of which only one could answer.
 *
 * @publicApi
 */
export class GevDuplicatePatternError extends GevError {
  constructor(
    /** As it is registered: text, or JSON with sorted keys. */
    readonly pattern: string,
    message: string,
  ) {
    super('ERR_GEV_DUPLICATE_PATTERN', message);
  }
}

/**
 * An interval or delay that no timer can have.
 *
 * @publicApi
 */
export class GevTimerError extends GevError {
  constructor(message: string) {
    super('ERR_GEV_INVALID_INTERVAL', message);
  }
}

/**
 * Two timers of the registry would share a name.
 *
 * @publicApi
 */
export class GevDuplicateTimerError extends GevError {
  constructor(readonly timerName: string) {
    super(
      'ERR_GEV_DUPLICATE_TIMER',
      `There is already a timer named "${timerName}": give one of them another name, or delete the first`,
    );
  }
}

/**
 * The server must listen first.
 *
 * @publicApi
 */
export class GevNotListeningError extends GevError {
  constructor(message = 'The server is not listening: call listen() first', details?: GevErrorDetails) {
    super('ERR_GEV_NOT_LISTENING', message, details);
  }
}

/**
 * `listen()` was called on a server that listens already, or is about to.
 *
 * @publicApi
 */
export class GevAlreadyListeningError extends GevError {
  constructor(message = 'The server is listening already: close() it first, or make another one') {
    super('ERR_GEV_ALREADY_LISTENING', message);
  }
}

/**
 * The native addon is not there or does not load. The message says what to run.
 *
 * @publicApi
 */
export class GevNativeError extends GevError {
  constructor(message: string, details?: GevErrorDetails) {
    super('ERR_GEV_NATIVE_MISSING', message, details);
  }
}

/**
 * The system ended a connection. `code` is its own (`ECONNRESET`, `ETIMEDOUT`, `EPIPE`…).
 *
 * @publicApi
 */
export class GevConnectionError extends GevError {
  constructor(code: string, message = `The connection failed: ${code}`, details?: GevErrorDetails) {
    super(code, message, details);
  }
}

/**
 * The peer sent what is no frame, one that is too long, or one that never ended: see the message. `errno` is `EBADMSG`,
 * `EMSGSIZE`, `ETIMEDOUT`, or `ENOBUFS` where the frame was given up for `maxPartialBytes`; `EPROTONOSUPPORT` where it is
 * TLS on a port without, `EPROTO` where it is no TLS any more.
 *
 * @publicApi
 */
export class GevProtocolError extends GevError {
  constructor(
    errno: number,
    /** The limit in question, `maxFrameLength` or `maxPartialBytes`, in bytes. */
    readonly limit?: number,
    /** Bytes, at least, of a frame that was too long. */
    readonly length?: number,
    cause?: unknown,
  ) {
    const detail = cause === undefined ? '' : describe(cause);
    super('ERR_GEV_PROTOCOL', protocolMessage(errno, limit, length, detail), { errno, cause });
  }
}

/**
 * What was to be sent is longer than `maxFrameLength`, or than `maxSendBuffer` has room for: nothing of it was, and the
 * connection goes on.
 *
 * @publicApi
 */
export class GevFrameTooLongError extends GevError {
  constructor(
    /** Bytes of the frame's content. */
    readonly length: number,
    /** The option in question, of this side. */
    readonly limit: number,
    /** Which option that is. */
    readonly option: 'maxFrameLength' | 'maxSendBuffer' = 'maxFrameLength',
  ) {
    const where = option === 'maxFrameLength' ? ' on both sides' : '';
    super(
      'ERR_GEV_FRAME_TOO_LONG',
      `${length} bytes are more than a frame may have, ${option} (${limit} bytes): send less at a time, or raise it${where}`,
    );
  }
}

/**
 * A function of the application threw, or returned what cannot be sent. `cause` is what it threw.
 *
 * @publicApi
 */
export class GevHandlerError extends GevError {
  /** Which function: "A send() callback", "A timer"… */
  readonly culprit: string;

  constructor(
    message: string,
    { culprit = 'A handler', ...details }: GevErrorDetails & { culprit?: string } = {},
  ) {
    super('ERR_GEV_HANDLER', message, details);
    this.culprit = culprit;
  }
}

/** Why nobody waits for a call any more. */
export type GevCallEnd = 'cancelled' | 'lost' | 'shutdown';

const CALL_ENDS: Readonly<Record<GevCallEnd, string>> = {
  cancelled: 'The caller has cancelled the call',
  lost: 'The connection of the caller is gone',
  shutdown: 'The server is shutting down',
};

/**
 * The `reason` of an aborted `ctx.signal`: nobody waits for the outcome of a call any more. `code` is
 * `ERR_GEV_CALL_CANCELLED`, `ERR_GEV_CALL_LOST` or `ERR_GEV_CALL_SHUTDOWN`; `cause` is the system's error behind a lost
 * connection, where there was one.
 *
 * @publicApi
 */
export class GevCallEndedError extends GevError {
  constructor(
    /** Cancelled by the caller, its connection lost, or the server's shutdown. */
    readonly end: GevCallEnd,
    details?: GevErrorDetails,
  ) {
    super(`ERR_GEV_CALL_${end.toUpperCase()}`, CALL_ENDS[end], details);
  }
}

/** What was thrown, in a few words: errors and Nest's error objects by their message. Whatever it is, this does not throw. */
export function describe(thrown: unknown): string {
  try {
    if (typeof thrown !== 'object' || thrown === null) return String(thrown);
    const { message } = thrown as { readonly message?: unknown };
    return typeof message === 'string' ? message : JSON.stringify(thrown);
  } catch {
    return `[object ${typeName(thrown)}]`;
  }
}

/** The `code` of whatever was thrown, if it has one that can be read. */
export function codeOf(thrown: unknown): unknown {
  try {
    return (thrown as { readonly code?: unknown } | null | undefined)?.code;
  } catch {
    return undefined;
  }
}
