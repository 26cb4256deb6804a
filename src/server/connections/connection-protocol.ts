import type { ResolvedListener } from '../../core/options.js';
import type { GevCodec } from '../../protocol/codec.js';
import { type GevPacketFormat, NEST_JSON_PACKETS } from '../../protocol/packet-format.js';
import type { RpcServer } from '../rpc/rpc-server.js';

/** What the server makes of the messages of connections that speak one codec. */
export interface ConnectionProtocol {
  /** Messages of one connection handled at a time. */
  readonly concurrency: number;
  /** Messages are views of the reactor's memory. */
  readonly borrowed: boolean;
  /** Takes packets, where messages are some. */
  readonly rpc: RpcServer | undefined;
  /** Makes packets of messages; undefined: they are none, or the reactor has found them. */
  readonly format: GevPacketFormat<unknown> | undefined;
  /** `@OnMessage` handlers see what is for others: what they return is not sent. */
  readonly observed: boolean;
}

/** Whether messages are packets, with patterns. */
export function carriesPackets({ packets }: GevCodec): boolean {
  return packets !== undefined;
}

export function protocolOf(
  { codec, concurrency }: ResolvedListener,
  rpc: RpcServer | undefined,
): ConnectionProtocol {
  const { framing, packets } = codec;
  return {
    concurrency,
    borrowed: framing.kind === 'raw' && !framing.copy,
    rpc,
    format: formatOf(codec),
    observed: packets === NEST_JSON_PACKETS,
  };
}

/** What the application reads packets with; undefined where frames are none, or the reactor knows them. */
export function formatOf({ packets }: GevCodec): GevPacketFormat<unknown> | undefined {
  return packets === undefined || packets === NEST_JSON_PACKETS ? undefined : packets;
}
