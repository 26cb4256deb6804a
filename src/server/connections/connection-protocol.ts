import type { ResolvedListener } from '../../core/listener-options.js';
import type { GevCodec } from '../../protocol/codec.js';
import { notationOf } from '../../protocol/nest-packets.js';
import { formatOf } from '../../protocol/packets.js';
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
  /** Makes packets of messages of another protocol; undefined: they are Nest's, or none. */
  readonly format: GevPacketFormat<unknown> | undefined;
  /** Messages are packets of Nest's. `@OnMessage` handlers see what is for others: what they return is not sent. */
  readonly observed: boolean;
  /** Those come as text whose parts the reactor looks for. */
  readonly scanned: boolean;
}

/** Whether messages are packets, with patterns. */
export function carriesPackets({ packets }: GevCodec): boolean {
  return packets !== undefined;
}

export function protocolOf(
  { codec, concurrency }: ResolvedListener,
  rpc: RpcServer | undefined,
): ConnectionProtocol {
  const { framing } = codec;
  return {
    concurrency,
    borrowed: framing.kind === 'raw' && !framing.copy,
    rpc,
    format: formatOf(codec),
    observed: notationOf(codec) !== undefined,
    scanned: codec.packets === NEST_JSON_PACKETS,
  };
}
