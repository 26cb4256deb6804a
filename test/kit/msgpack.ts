import { createRequire } from 'node:module';
import { Peer } from './peer.js';
import type { Packet } from './rpc.js';

interface Packr {
  pack(value: unknown): Buffer;
  unpack(bytes: Buffer): any;
}

const { Packr } = createRequire(import.meta.url)('msgpackr') as { Packr: new (options: object) => Packr };
const packr = new Packr({ useRecords: false, mapsAsObjects: true });

/** Bytes with their length in front. */
export function framed(content: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}

/** A value as a frame of `msgpack()`. */
export function packed(value: unknown): Buffer {
  return framed(Buffer.from(packr.pack(value)));
}

/** A plain TCP client that speaks MessagePack. */
export class MsgpackPeer {
  private constructor(readonly peer: Peer) {}

  static async connect(port: number): Promise<MsgpackPeer> {
    return new MsgpackPeer((await Peer.connect(port)).read());
  }

  send(...packets: unknown[]): void {
    this.peer.write(Buffer.concat(packets.map(packed)));
  }

  /** The next packet, as soon as it is there. */
  async next(): Promise<Packet> {
    const length = (await this.peer.take(4)).readUInt32BE();
    return packr.unpack(await this.peer.take(length)) as Packet;
  }
}
