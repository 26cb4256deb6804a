import type { GevConnection } from '../core/connection.js';
import type { GevError } from '../core/errors.js';
import type { GevSerializer } from '../core/options.js';
import { isThenable } from './handler-result.js';

/**
 * - `value`: one of several
 * - `last`: a value, and the end
 * - `end`: the end without a value
 * - `error`: the end, `value` is the error
 * - `unhandled`: nobody handles such requests, `value` is Nest's word for it
 */
export type ReplyKind = 'value' | 'last' | 'end' | 'error' | 'unhandled';

/** Writes the replies to requests. Never throws: what cannot be sent is reported, and answered with an error. */
export interface Replies {
  send(connection: GevConnection, id: unknown, kind: ReplyKind, value: unknown): void;
}

/** Told of replies that could not be sent as they were. */
export type ReplyFailure = (connection: GevConnection, error: unknown) => void;

/** What the caller is told instead of a reply that cannot be made JSON. */
const UNSERIALIZABLE =
  '{"err":{"status":"error","message":"The reply could not be serialized"},"isDisposed":true,"id":';

/** Ids that need no escaping, as those of all known clients. */
const PLAIN_ID = /^[\w-]+$/;

/** Writes the envelope by hand, in the key order of Nest's own server. */
export class PlainReplies implements Replies {
  constructor(private readonly onFailure: ReplyFailure) {}

  send(connection: GevConnection, id: unknown, kind: ReplyKind, value: unknown): void {
    try {
      connection.sendFrame(packet(kind, kind === 'end' ? undefined : jsonOf(value), id));
    } catch (error) {
      sendUnserializable(connection, id, error, this.onFailure);
    }
  }
}

/** Sends every packet through Nest's serializer, which may take its time; the replies to a request keep their order. */
export class SerializedReplies implements Replies {
  /** The last reply of each connection that is still being serialized. */
  private readonly pending = new WeakMap<GevConnection, Promise<void>>();

  constructor(
    private readonly serializer: GevSerializer,
    private readonly onFailure: ReplyFailure,
  ) {}

  send(connection: GevConnection, id: unknown, kind: ReplyKind, value: unknown): void {
    try {
      const serialized = this.serializer.serialize(packetObject(kind, value, id));
      const before = this.pending.get(connection);
      if (before === undefined && !isThenable(serialized)) this.write(connection, id, serialized);
      else this.enqueue(connection, id, serialized, before);
    } catch (error) {
      sendUnserializable(connection, id, error, this.onFailure);
    }
  }

  private write(connection: GevConnection, id: unknown, serialized: unknown): void {
    try {
      connection.sendFrame([JSON.stringify(serialized)]);
    } catch (error) {
      sendUnserializable(connection, id, error, this.onFailure);
    }
  }

  private enqueue(
    connection: GevConnection,
    id: unknown,
    serialized: unknown,
    before: Promise<void> | undefined,
  ): void {
    const written = Promise.all([serialized, before]).then(
      ([value]) => this.write(connection, id, value),
      (error: unknown) => sendUnserializable(connection, id, error, this.onFailure),
    );
    void written.then(() => {
      if (this.pending.get(connection) === written) this.pending.delete(connection);
    });
    this.pending.set(connection, written);
  }
}

function packet(kind: ReplyKind, json: string | undefined, id: unknown): string[] {
  const head = kind === 'error' ? '{"err":' : '{"response":';
  const plain = typeof id === 'string' && PLAIN_ID.test(id);
  const idJson = plain ? id : JSON.stringify(id);
  const end = plain ? '"}' : '}';
  if (kind === 'unhandled') return [`{"id":${JSON.stringify(id)},"status":"error","err":${json}}`];
  if (json === undefined) {
    // Nothing to say, as JSON.stringify leaves out what it cannot show.
    if (kind === 'value') return [plain ? '{"id":"' : '{"id":', idJson, end];
    return [plain ? '{"isDisposed":true,"id":"' : '{"isDisposed":true,"id":', idJson, end];
  }
  if (kind === 'value') return [head, json, plain ? ',"id":"' : ',"id":', idJson, end];
  return [head, json, plain ? ',"isDisposed":true,"id":"' : ',"isDisposed":true,"id":', idJson, end];
}

function packetObject(kind: ReplyKind, value: unknown, id: unknown): Record<string, unknown> {
  switch (kind) {
    case 'value':
      return { response: value, id };
    case 'last':
      return { response: value, isDisposed: true, id };
    case 'end':
      return { isDisposed: true, id };
    case 'unhandled':
      return { id, status: 'error', err: value };
    case 'error':
      return { err: value, isDisposed: true, id };
  }
}

function jsonOf(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null';
  // Typed as a string, but undefined for what JSON does not know.
  return JSON.stringify(value);
}

function sendUnserializable(
  connection: GevConnection,
  id: unknown,
  error: unknown,
  onFailure: ReplyFailure,
): void {
  onFailure(connection, error);
  if ((error as Partial<GevError> | null)?.code === 'ERR_GEV_CONNECTION_CLOSED') return;
  try {
    connection.sendFrame([UNSERIALIZABLE, JSON.stringify(id), '}']);
  } catch {
    // Closed meanwhile: nobody is left to be told.
  }
}
