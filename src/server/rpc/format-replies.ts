import { GevHandlerError } from '../../core/errors.js';
import type { ReplyKind } from '../../protocol/nest-json/reply-writer.js';
import type { GevPacket, GevPacketFormat, GevReply } from '../../protocol/packet-format.js';
import type { Replies, ReplyTarget } from './replies.js';

/** What the caller is told instead of a reply that cannot be written. */
const UNWRITABLE = Object.freeze({ status: 'error', message: 'The reply could not be written' });

/** Has a format of the application write replies. The `id` of a reply is the packet that it answers. */
export class FormatReplies implements Replies {
  constructor(private readonly format: GevPacketFormat<unknown>) {}

  send(target: ReplyTarget, id: unknown, kind: ReplyKind, value: unknown): boolean {
    const packet = id as GevPacket;
    try {
      this.write(target, packet, replyOf(kind, value));
      return true;
    } catch (error) {
      target.reportUnsendable(packet, error);
      this.apologise(target, packet);
      return false;
    }
  }

  goAway(): undefined {
    return undefined;
  }

  private write({ connection }: ReplyTarget, packet: GevPacket, reply: GevReply): void {
    const frame = this.format.write(reply, packet, connection);
    if (frame !== undefined) connection.transmitChecked(frame);
  }

  /** A caller who is not told would wait, or take the next reply for his. */
  private apologise(target: ReplyTarget, packet: GevPacket): void {
    if (target.connection.state === 'closed') return;
    try {
      this.write(target, packet, { error: UNWRITABLE, last: true });
    } catch (cause) {
      target.connection.refuseInput(new GevHandlerError('A reply could not be written', { cause }));
    }
  }
}

function replyOf(kind: ReplyKind, value: unknown): GevReply {
  switch (kind) {
    case 'value':
      return { data: value, last: false };
    case 'last':
      return { data: value, last: true };
    case 'end':
      return { last: true };
    case 'error':
    case 'refused':
      return { error: value, last: true };
    case 'unhandled':
      return { error: { status: 'error', message: value }, last: true };
  }
}
