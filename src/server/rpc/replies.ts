import type { ReactorConnection } from '../../core/reactor-connection.js';
import { codeOf, GevFrameTooLongError, GevHandlerError } from '../../core/errors.js';
import type { GevSerializer } from '../../core/options.js';
import { isThenable } from '../../core/values.js';
import { type ReplyKind, replyPacket, replyText } from '../../protocol/nest-json/reply-writer.js';
import { GO_AWAY } from '../../protocol/nest-json/vocabulary.js';

/** Whom replies go to. */
export interface ReplyTarget {
  readonly connection: ReactorConnection;
  /** A reply takes its time: the connection is not to be finished before `complete`. */
  begin(): void;
  complete(): void;
  /** The request has been answered with an error; its handler may stop. */
  cancel(id: unknown): void;
  /** A reply could not be sent as it was. */
  reportUnsendable(id: unknown, error: unknown): void;
}

/** Sends the replies to requests, and never throws for one: what cannot be sent is reported, and answered with an error. */
export interface Replies {
  /**
   * Returns false when the reply could not be sent, and the request has had its answer by that. `plainId`: the id is known
   * to be text that needs no escaping.
   */
  send(target: ReplyTarget, id: unknown, kind: ReplyKind, value: unknown, plainId?: boolean): boolean;
  /**
   * {@link GO_AWAY}, which is no reply, as it is to be sent as JSON, or a promise of it; undefined where there is no such word.
   * Throws what the serializer throws.
   */
  goAway(): unknown;
}

/** What the caller is told instead of a reply that cannot be made JSON. */
const UNSERIALIZABLE = 'The reply could not be serialized';

/** Writes each reply as text. No packet is made. */
export class PlainReplies implements Replies {
  send(target: ReplyTarget, id: unknown, kind: ReplyKind, value: unknown, plainId = false): boolean {
    try {
      target.connection.sendFrame(replyText(kind, value, id, plainId));
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
  private readonly pending = new WeakMap<ReactorConnection, Promise<void>>();

  constructor(private readonly serializer: GevSerializer) {}

  send(target: ReplyTarget, id: unknown, kind: ReplyKind, value: unknown): boolean {
    const { connection } = target;
    try {
      const serialized = this.serializer.serialize(replyPacket(kind, value, id));
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
    reply = JSON.stringify(replyPacket('error', { status: 'error', message }, id));
  } catch (cause) {
    // Nested too deeply to be repeated: no answer would find its caller.
    connection.refuseInput(new GevHandlerError('The id of a request cannot be written', { cause }));
    return;
  }
  try {
    connection.sendFrame([reply]);
  } catch (unsent) {
    // Closed meanwhile: nobody is left to be told. But where not even this fits a frame, the caller must not wait.
    if (unsent instanceof GevFrameTooLongError) connection.refuseInput(unsent);
  }
}
