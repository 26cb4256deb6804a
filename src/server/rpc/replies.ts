import type { GevConnection } from '../../core/connection.js';
import { codeOf, GevFrameTooLongError } from '../../core/errors.js';
import type { GevSerializer } from '../../core/options.js';
import { FixedText } from '../../engine/fixed-text.js';
import type { FramePiece } from '../../engine/native/outbound.js';
import { isThenable } from '../../core/values.js';
import { GO_AWAY, NOT_BEGUN } from '../../protocol/nest-json/vocabulary.js';

/**
 * - `value`: one of several
 * - `last`: a value, and the end
 * - `end`: the end without a value
 * - `error`: the end, `value` is the error
 * - `refused`: as `error`, of a request that was not begun
 * - `unhandled`: nobody handles such requests, `value` is Nest's word for it
 */
export type ReplyKind = 'value' | 'last' | 'end' | 'error' | 'refused' | 'unhandled';

/** Whom replies go to. */
export interface ReplyTarget {
  readonly connection: GevConnection;
  /** A reply takes its time: the connection is not to be finished before `complete`. */
  begin(): void;
  complete(): void;
  /** The request has been answered with an error; its handler may stop. */
  cancel(id: unknown): void;
  /** A reply could not be sent as it was. */
  reportUnsendable(id: unknown, error: unknown): void;
}

/** Writes the replies to requests, and never throws for one: what cannot be sent is reported, and answered with an error. */
export interface Replies {
  /**
   * Returns false when the reply could not be sent, and the request has had its answer by that. `plainId`: the id is known
   * to be text that needs no escaping.
   */
  send(target: ReplyTarget, id: unknown, kind: ReplyKind, value: unknown, plainId?: boolean): boolean;
  /** {@link GO_AWAY}, which is no reply, as it is to be sent as JSON, or a promise of it. Throws what the serializer throws. */
  goAway(): unknown;
}

/** What the caller is told instead of a reply that cannot be made JSON. */
const UNSERIALIZABLE = 'The reply could not be serialized';

/** Ids that need no escaping, as those of all known clients. */
const PLAIN_ID = /^[\w-]+$/;

/** Writes the envelope by hand, in the key order of Nest's own server. */
export class PlainReplies implements Replies {
  send(target: ReplyTarget, id: unknown, kind: ReplyKind, value: unknown, plainId = false): boolean {
    try {
      const key = isError(kind) ? 'err' : 'response';
      const json = kind === 'end' ? undefined : jsonOf(key, value);
      target.connection.sendFrame(packet(kind, json, id, plainId));
      return true;
    } catch (error) {
      sendUnserializable(target, id, error);
      return false;
    }
  }

  goAway(): unknown {
    return GO_AWAY;
  }
}

/** Sends every packet through Nest's serializer, which may take its time; the replies to a request keep their order. */
export class SerializedReplies implements Replies {
  /** The last reply of each connection that is still being serialized. */
  private readonly pending = new WeakMap<GevConnection, Promise<void>>();

  constructor(private readonly serializer: GevSerializer) {}

  send(target: ReplyTarget, id: unknown, kind: ReplyKind, value: unknown): boolean {
    const { connection } = target;
    try {
      const serialized = this.serializer.serialize(packetObject(kind, value, id));
      const before = this.pending.get(connection);
      if (before === undefined && !isThenable(serialized)) return this.write(target, id, serialized);
      this.enqueue(target, id, serialized, before);
      return true;
    } catch (error) {
      sendUnserializable(target, id, error);
      return false;
    }
  }

  goAway(): unknown {
    return this.serializer.serialize(GO_AWAY);
  }

  private write(target: ReplyTarget, id: unknown, serialized: unknown): boolean {
    try {
      target.connection.sendFrame([JSON.stringify(serialized)]);
      return true;
    } catch (error) {
      sendUnserializable(target, id, error);
      return false;
    }
  }

  private enqueue(target: ReplyTarget, id: unknown, serialized: unknown, before?: Promise<void>): void {
    const { connection } = target;
    target.begin();
    const written = Promise.allSettled([serialized, before]).then(([outcome]) => {
      if (outcome.status === 'rejected') sendUnserializable(target, id, outcome.reason);
      if (outcome.status === 'rejected' || !this.write(target, id, outcome.value)) target.cancel(id);
      if (this.pending.get(connection) === written) this.pending.delete(connection);
      target.complete();
    });
    this.pending.set(connection, written);
  }
}

const RESPONSE = new FixedText('{"response":');
const ERROR = new FixedText('{"err":');
/** What stands before an id: behind a reply, behind the last one, without a reply, and with no reply but the end. */
const keysOfId = (quote: '"' | '') => ({
  value: new FixedText(`,"id":${quote}`),
  last: new FixedText(`,"isDisposed":true,"id":${quote}`),
  nothing: new FixedText(`{"id":${quote}`),
  end: new FixedText(`{"isDisposed":true,"id":${quote}`),
  close: new FixedText(`${quote}}`),
  closeRefused: new FixedText(`${quote},"status":"${NOT_BEGUN}"}`),
});
const PLAIN = keysOfId('"');
const JSON_ID = keysOfId('');

function packet(kind: ReplyKind, json: string | undefined, id: unknown, plainId: boolean): FramePiece[] {
  if (kind === 'unhandled') return [`{"id":${JSON.stringify(id)},"status":"error","err":${json}}`];
  const plain = typeof id === 'string' && (plainId || PLAIN_ID.test(id));
  const keys = plain ? PLAIN : JSON_ID;
  const idJson = plain ? id : JSON.stringify(id);
  // Nothing to say, as JSON.stringify leaves out what it cannot show.
  if (json === undefined) return [kind === 'value' ? keys.nothing : keys.end, idJson, keys.close];
  const head = isError(kind) ? ERROR : RESPONSE;
  const close = kind === 'refused' ? keys.closeRefused : keys.close;
  return [head, json, kind === 'value' ? keys.value : keys.last, idJson, close];
}

function isError(kind: ReplyKind): boolean {
  return kind === 'error' || kind === 'refused';
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
    case 'refused':
      return { err: value, isDisposed: true, id, status: NOT_BEGUN };
  }
}

/** What JSON.stringify makes of a value that stands under `key`; undefined for what JSON does not know. */
function jsonOf(key: string, value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null';
  if (typeof (value as { toJSON?: unknown } | null | undefined)?.toJSON !== 'function') {
    return JSON.stringify(value);
  }
  const text = JSON.stringify({ [key]: value }); // toJSON is told the key
  return text === '{}' ? undefined : text.slice(key.length + '{"":'.length, -1);
}

function tooLongReply({ length, limit, option }: GevFrameTooLongError): string {
  return `The reply has ${length} bytes, more than ${option} of the server (${limit} bytes)`;
}

function sendUnserializable(target: ReplyTarget, id: unknown, error: unknown): void {
  const { connection } = target;
  target.reportUnsendable(id, error);
  if (codeOf(error) === 'ERR_GEV_CONNECTION_CLOSED') return;
  const message = error instanceof GevFrameTooLongError ? tooLongReply(error) : UNSERIALIZABLE;
  let reply: string;
  try {
    reply = JSON.stringify({ err: { status: 'error', message }, isDisposed: true, id });
  } catch {
    connection.refuseInput(); // nested too deeply to be repeated: no answer would find its caller
    return;
  }
  try {
    connection.sendFrame([reply]);
  } catch (unsent) {
    // Closed meanwhile: nobody is left to be told. But where not even this fits a frame, the caller must not wait.
    if (unsent instanceof GevFrameTooLongError) connection.refuseInput();
  }
}
