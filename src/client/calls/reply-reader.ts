import type { GevDeserializer } from '../../core/options.js';
import { isThenable } from '../../core/values.js';
import { PlainReply } from './plain-reply.js';

/** A reply, as Nest's `IncomingResponse`, of which nothing is sure. */
export interface Reply {
  readonly id?: unknown;
  readonly err?: unknown;
  readonly response?: unknown;
  readonly isDisposed?: unknown;
  readonly status?: unknown;
}

/**
 * Makes replies of what is received. Nest's default deserializer leaves a plain reply as it is, so that one is not asked
 * about those.
 */
export class ReplyReader {
  readonly plain = new PlainReply();

  /**
   * @param deserializer Nest's default one of the installed version, or the user's
   * @param custom it is the user's
   */
  constructor(
    private readonly deserializer: GevDeserializer,
    private readonly custom: boolean,
  ) {}

  /** Whether the reply is one that only its response was to be parsed of: {@link ReplyReader.plain} has it. */
  readPlain(text: string): boolean {
    return !this.custom && this.plain.read(text);
  }

  /** Whatever the deserializer throws or rejects with, comes through. */
  read(value: unknown): Reply | PromiseLike<Reply> {
    if (!this.custom && isPlain(value)) return value;
    // As Nest's socket: a value that is nothing is an empty packet.
    return this.deserializer.deserialize(value || {}) as Reply | PromiseLike<Reply>;
  }

  /** Whether the deserializer of the user takes its time. */
  isPromised(reply: Reply | PromiseLike<Reply>): reply is PromiseLike<Reply> {
    return this.custom && isThenable(reply);
  }
}

/** Whether Nest's deserializer, of either version, would return the value as it is. */
function isPlain(value: unknown): value is Reply {
  if (typeof value !== 'object' || value === null) return false;
  for (const key in value) {
    if (!isEnvelopeKey(key)) return false;
  }
  const { err, response, isDisposed } = value as Reply;
  return err !== undefined || response !== undefined || isDisposed !== undefined;
}

function isEnvelopeKey(key: string): boolean {
  return key === 'response' || key === 'isDisposed' || key === 'id' || key === 'err' || key === 'status';
}
