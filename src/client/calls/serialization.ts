import type { GevDeserializer, GevSerializer } from '../../core/options.js';
import { isThenable, promiseOf } from '../../core/values.js';
import { packetOf, PacketWriter, type PacketText } from '../../protocol/nest-json/packet-writer.js';
import { isReply, type Reply, ReplyReader } from '../../protocol/nest-json/reply-reader.js';
import type { GevMetadata } from '../gev.record.js';

/** Makes the text of packets: by the user's serializer, where there is one. */
export class PacketSerializer {
  private readonly writer = new PacketWriter();

  /** @param serializer the user's */
  constructor(private readonly serializer: GevSerializer | undefined) {}

  /**
   * Whatever the serializer throws or rejects with, and JSON's objections, come through.
   *
   * @param id digits; undefined for an event
   */
  write(
    pattern: unknown,
    data: unknown,
    id: string | undefined,
    metadata: GevMetadata | undefined,
  ): PacketText | PromiseLike<PacketText> {
    if (this.serializer === undefined) return this.writer.write(pattern, data, id, metadata);
    const serialized = this.serializer.serialize(packetOf(pattern, data, id, metadata));
    return promiseOf(serialized)?.then(toJson) ?? toJson(serialized);
  }
}

/**
 * Makes replies of what is received. Nest's default deserializer leaves a plain reply as it is, so that one is not asked
 * about those.
 */
export class ReplyDeserializer {
  readonly plain = new ReplyReader();

  /**
   * @param deserializer Nest's default one of the installed version, or the user's
   * @param custom it is the user's
   */
  constructor(
    private readonly deserializer: GevDeserializer,
    private readonly custom: boolean,
  ) {}

  /** Whether the reply is one that only its response was to be parsed of: {@link ReplyDeserializer.plain} has it. */
  readPlain(text: string): boolean {
    return !this.custom && this.plain.read(text);
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

function toJson(packet: unknown): PacketText {
  const text = JSON.stringify(packet) as string | undefined;
  if (text === undefined) throw new TypeError('The serializer returned nothing that JSON has a text for');
  return [text];
}
