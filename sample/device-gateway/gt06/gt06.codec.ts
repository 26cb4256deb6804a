import { type GevAnswer, type GevCodec, type GevPacket, type GevReply, packets } from 'nestjs-gev';
import { type Gt06Frame, PROTOCOL } from './gt06-frame.js';
import { gt06Framing } from './gt06-framing.js';
import {
  type Acknowledgement,
  readAcknowledgement,
  readImei,
  readLongAcknowledgement,
  readPosition,
  readStatus,
  writeCommand,
} from './gt06-messages.js';

/**
 * The protocol of GT06 trackers. Their messages are packets for handlers of `login`, `heartbeat` and `position`; `request()` of
 * a connection sends a command, and resolves with the text that acknowledges it. Frames that are about something else go to
 * `@OnMessage()`.
 */
export function gt06(): GevCodec {
  return packets<Gt06Frame>(gt06Framing(), { name: 'gt06', read, write, request });
}

function read(frame: Gt06Frame): GevPacket | GevAnswer | undefined {
  const { protocol, content } = frame;
  switch (protocol) {
    case PROTOCOL.login:
      return { pattern: 'login', data: readImei(content), id: frame };
    case PROTOCOL.heartbeat:
      return { pattern: 'heartbeat', data: readStatus(content), id: frame };
    case PROTOCOL.position:
    case PROTOCOL.positionWithStatus:
      return { pattern: 'position', data: readPosition(content) };
    case PROTOCOL.acknowledgement:
      return answerOf(readAcknowledgement(content));
    case PROTOCOL.longAcknowledgement:
      return answerOf(readLongAcknowledgement(content));
    default:
      return undefined;
  }
}

function answerOf({ command, text }: Acknowledgement): GevAnswer {
  return { answers: command, data: text };
}

/** An answer says no more than which frame it answers. There is no word for an error. */
function write({ error }: GevReply, { id }: GevPacket): Gt06Frame | undefined {
  if (error !== undefined) return undefined;
  const { protocol, serial } = id as Gt06Frame;
  return { protocol, content: Buffer.alloc(0), serial };
}

/** Commands are what a gateway sends by itself, so their number, of two bytes, counts its frames as well. */
function request(text: unknown, id: number): Gt06Frame {
  return { protocol: PROTOCOL.command, content: writeCommand(text as string, id), serial: id };
}
