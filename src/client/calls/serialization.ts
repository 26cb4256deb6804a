import type { GevData } from '../../core/data.js';
import type { GevDeserializer, GevSerializer } from '../../core/options.js';
import { isThenable, promiseOf } from '../../core/values.js';
import { packetOf, PacketWriter, type PacketText } from '../../protocol/nest-json/packet-writer.js';
import { isReply, type Reply, ReplyReader } from '../../protocol/nest-json/reply-reader.js';
import { type GevPacketNotation, JSON_NOTATION } from '../../protocol/packet-notation.js';
import type { GevMetadata } from '../gev.record.js';
import type { LinkFrame } from '../pool/link.js';

/** What is sent of a packet: its text in pieces, or the content of a frame. */
export type PacketContent = PacketText | GevData;

export function isText(content: PacketContent): content is PacketText {
  return Array.isArray(content);
}

/** Makes what is sent of packets, by the user's serializer, where there is one, and in the notation of the codec. */
export class PacketSerializer {
  /** Undefined where packets are written as wholes. */
  private readonly writer: PacketWriter | undefined;

  /** @param serializer the user's */
  constructor(
    private readonly serializer: GevSerializer | undefined,
    private readonly notation: GevPacketNotation<unknown>,
  ) {
    if (serializer === undefined && notation === JSON_NOTATION) this.writer = new PacketWriter();
  }

  /**
   * Whatever the serializer throws or rejects with, and the objections of JSON or another notation, come through.
   *
   * @param id digits; undefined for an event
   */
  write(
    pattern: unknown,
    data: unknown,
    id: string | undefined,
    metadata: GevMetadata | undefined,
  ): PacketContent | PromiseLike<PacketContent> {
    if (this.writer !== undefined) return this.writer.write(pattern, data, id, metadata);
    const packet = packetOf(pattern, data, id, metadata);
    if (this.serializer === undefined) return this.encode(packet);
    const serialized = this.serializer.serialize(packet);
    return promiseOf(serialized)?.then((made) => this.encode(made)) ?? this.encode(serialized);
  }

  private encode(packet: unknown): GevData {
    const content = this.notation.encode(packet) as GevData | undefined;
    if (content !== undefined) return content;
    throw new TypeError('The serializer returned nothing that JSON has a text for'); // other notations say so themselves
  }
}

/**
 * Makes replies of what is received. Nest's default deserializer leaves a plain reply as it is, so that one is not asked
 * about those.
 */
export class ReplyDeserializer {
  readonly plain = new ReplyReader();
  /** Replies are looked for in texts before these are parsed. */
  private readonly scans: boolean;

  /**
   * @param deserializer Nest's default one of the installed version, or the user's
   * @param custom it is the user's
   */
  constructor(
    private readonly deserializer: GevDeserializer,
    private readonly custom: boolean,
    private readonly notation: GevPacketNotation<unknown>,
  ) {
    this.scans = !custom && notation === JSON_NOTATION;
  }

  /** Whether the reply is one that only its response was to be parsed of: {@link ReplyDeserializer.plain} has it. */
  readPlain(frame: LinkFrame): boolean {
    return this.scans && this.plain.read(frame as string);
  }

  /** Throws where a frame holds no value. */
  decode(frame: LinkFrame): unknown {
    return this.notation.decode(frame);
  }

  /** Whatever the deserializer throws or rejects with, comes through. */
  read(value: unknown): Reply | PromiseLike<Reply> {
    if (!this.custom && isReply(value)) return value;
    // As Nest's socket: a value that is nothing is an empty packet.
    return this.deserializer.deserialize(value || {}) as Reply | PromiseLike<Reply>;
  }

  /** Whether the deserializer of the user takes its time. */
  isPromised(reply: Reply | PromiseLike<Reply>): reply is PromiseLike<Reply> {
    return this.custom && isThenable(reply);
  }
}
