import { FixedText } from '../../engine/fixed-text.js';
import { REPLY } from './grammar.js';
import { NOT_BEGUN } from './vocabulary.js';
import type { FramePiece } from '../../engine/loop-port.js';

/**
 * - `value`: one of several
 * - `last`: a value, and the end
 * - `end`: the end without a value
 * - `error`: the end, `value` is the error
 * - `refused`: as `error`, of a request that was not begun
 * - `unhandled`: nobody handles such requests, `value` is Nest's word for it
 */
export type ReplyKind = 'value' | 'last' | 'end' | 'error' | 'refused' | 'unhandled';

/** Ids that need no escaping, as those of all known clients. */
const PLAIN_ID = /^[\w-]+$/;

const RESPONSE = new FixedText(REPLY.response);
const ERROR = new FixedText(REPLY.error);
/** What stands before an id: behind a reply, behind the last one, without a reply, and with no reply but the end. */
const keysOfId = (quote: '"' | '') => {
  const key = REPLY.id.slice(0, -1) + quote;
  return {
    value: new FixedText(key),
    last: new FixedText(REPLY.last + key),
    nothing: new FixedText(first(key)),
    end: new FixedText(first(REPLY.last + key)),
    close: new FixedText(quote + REPLY.end),
    closeRefused: new FixedText(`${quote}${REPLY.status}"${NOT_BEGUN}"${REPLY.end}`),
  };
};
const PLAIN = keysOfId('"');
const JSON_ID = keysOfId('');

/**
 * The JSON of a reply, put together from its parts. Throws what JSON and `toJSON` methods throw.
 *
 * @param plainId the id is known to be text that needs no escaping
 */
export function replyText(kind: ReplyKind, value: unknown, id: unknown, plainId: boolean): FramePiece[] {
  if (kind === 'unhandled') return [JSON.stringify(replyPacket(kind, value, id))];
  const failed = kind === 'error' || kind === 'refused';
  const json = kind === 'end' ? undefined : jsonOf(failed ? 'err' : 'response', value);
  const plain = typeof id === 'string' && (plainId || PLAIN_ID.test(id));
  const keys = plain ? PLAIN : JSON_ID;
  const idJson = plain ? id : JSON.stringify(id);
  // Nothing to say, as JSON.stringify leaves out what it cannot show.
  if (json === undefined) return [kind === 'value' ? keys.nothing : keys.end, idJson, keys.close];
  const close = kind === 'refused' ? keys.closeRefused : keys.close;
  return [failed ? ERROR : RESPONSE, json, kind === 'value' ? keys.value : keys.last, idJson, close];
}

/** A reply as an object, for a serializer. */
export function replyPacket(kind: ReplyKind, value: unknown, id: unknown): Record<string, unknown> {
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

/** The text before a member, where that is the first one. */
function first(key: string): string {
  return `{${key.slice(1)}`;
}
