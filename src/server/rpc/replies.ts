import type { ReactorConnection } from '../../core/reactor-connection.js';
import type { GevData } from '../../core/data.js';
import { codeOf, GevFrameTooLongError, GevHandlerError } from '../../core/errors.js';
import type { GevSerializer } from '../../core/options.js';
import { isThenable, promiseOf } from '../../core/values.js';
import { type ReplyKind, replyPacket, replyText } from '../../protocol/nest-json/reply-writer.js';
import { GO_AWAY } from '../../protocol/nest-json/vocabulary.js';
import { type GevPacketNotation, JSON_NOTATION } from '../../protocol/packet-notation.js';

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
   * The content of the frame for {@link GO_AWAY}, which is no reply, or a promise of it; undefined where there is no such word.
   * Throws what serializer and notation throw.
   */
  goAway(): GevData | Promise<GevData> | undefined;
}

/** What packets of Nest's are written in. */
type Notation = Pick<GevPacketNotation, 'encode'>;

/** What the caller is told instead of a reply that cannot be written. */
const UNSERIALIZABLE = 'The reply could not be serialized';

/** Writes each reply as JSON. No packet is made. */
export class PlainReplies implements Replies {
  send(target: ReplyTarget, id: unknown, kind: ReplyKind, value: unknown, plainId = false): boolean {
    try {
      target.connection.sendFrame(replyText(kind, value, id, plainId));
      return true;
    } catch (error) {
      sendUnserializable(target, JSON_NOTATION, id, error);
      return false;
    }
  }

  goAway(): GevData {
    return JSON_NOTATION.encode(GO_AWAY);
  }
}

/** Writes each reply in the notation of a codec. */
export class NotedReplies implements Replies {
  constructor(private readonly notation: Notation) {}

  send(target: ReplyTarget, id: unknown, kind: ReplyKind, value: unknown): boolean {
    try {
      const packet = replyPacket(kind, value instanceof Error ? membersOf(value) : value, id);
      target.connection.transmit(this.notation.encode(packet));
      return true;
    } catch (error) {
      sendUnserializable(target, this.notation, id, error);
      return false;
    }
  }

  goAway(): GevData {
    return this.notation.encode(GO_AWAY);
  }
}

/** Sends every packet through Nest's serializer, which may take its time; the replies to a request keep their order. */
export class SerializedReplies implements Replies {
  /** The last reply of each connection that is still being serialized. */
  private readonly pending = new WeakMap<ReactorConnection, Promise<void>>();

  constructor(
    private readonly serializer: GevSerializer,
    private readonly notation: Notation,
  ) {}

  send(target: ReplyTarget, id: unknown, kind: ReplyKind, value: unknown): boolean {
    const { connection } = target;
    try {
      const serialized = this.serializer.serialize(replyPacket(kind, value, id));
      const before = this.pending.get(connection);
      if (before === undefined && !isThenable(serialized)) return this.write(target, id, serialized);
      this.enqueue(target, id, serialized, before);
      return true;
    } catch (error) {
      sendUnserializable(target, this.notation, id, error);
      return false;
    }
  }

  goAway(): GevData | Promise<GevData> {
    const serialized = this.serializer.serialize(GO_AWAY);
    return (
      promiseOf(serialized)?.then((packet) => this.notation.encode(packet)) ??
      this.notation.encode(serialized)
    );
  }

  private write(target: ReplyTarget, id: unknown, serialized: unknown): boolean {
    try {
      target.connection.transmit(this.notation.encode(serialized));
      return true;
    } catch (error) {
      sendUnserializable(target, this.notation, id, error);
      return false;
    }
  }

  private enqueue(target: ReplyTarget, id: unknown, serialized: unknown, before?: Promise<void>): void {
    const { connection } = target;
    target.begin();
    const written = Promise.allSettled([serialized, before]).then(([outcome]) => {
      if (outcome.status === 'rejected') sendUnserializable(target, this.notation, id, outcome.reason);
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

/** What JSON shows of an error: the members that others have given it. */
function membersOf(error: Error): unknown {
  const { toJSON } = error as { readonly toJSON?: unknown };
  return typeof toJSON === 'function' ? (toJSON as () => unknown).call(error) : { ...error };
}

function sendUnserializable(target: ReplyTarget, notation: Notation, id: unknown, error: unknown): void {
  const { connection } = target;
  target.reportUnsendable(id, error);
  if (codeOf(error) === 'ERR_GEV_CONNECTION_CLOSED') return;
  const message = error instanceof GevFrameTooLongError ? tooLongReply(error) : UNSERIALIZABLE;
  let reply: GevData;
  try {
    reply = notation.encode(replyPacket('error', { status: 'error', message }, id));
  } catch (cause) {
    // Nested too deeply to be repeated: no answer would find its caller.
    connection.refuseInput(new GevHandlerError('The id of a request cannot be written', { cause }));
    return;
  }
  try {
    connection.transmit(reply);
  } catch (unsent) {
    // Closed meanwhile: nobody is left to be told. But where not even this fits a frame, the caller must not wait.
    if (unsent instanceof GevFrameTooLongError) connection.refuseInput(unsent);
  }
}
