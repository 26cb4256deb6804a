import { type ModuleMetadata, type Type } from '@nestjs/common';
import { ClientTCP, type TcpClientOptions } from '@nestjs/microservices';
import { type GevServerOptions, nestJson } from 'nestjs-gev';
import { type NetConnectOpts } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { onCleanup } from './cleanup.js';
import { Peer } from './peer.js';
import { serve, type Service } from './serve.js';
import { until } from './until.js';

export interface Packet {
  readonly id?: unknown;
  readonly response?: any;
  readonly err?: any;
  readonly isDisposed?: boolean;
  readonly status?: string;
}

/** As {@link serve}, with Nest's wire format. */
export function serveRpc(
  options: GevServerOptions,
  module: Type | readonly Type[] | ModuleMetadata,
): Promise<Service> {
  const controllers = typeof module === 'function' ? [module] : module;
  return serve(
    { codec: nestJson(), ...options },
    (Array.isArray(controllers) ? { controllers } : controllers) as ModuleMetadata,
  );
}

/** Nest's own client, unmodified. It is closed with the test. */
export function nestClient(port: number, options: Partial<TcpClientOptions['options']> = {}): ClientTCP {
  const client = new ClientTCP({ host: '127.0.0.1', port, ...options });
  onCleanup(() => client.close());
  return client;
}

/** A packet on the wire. */
export function frame(packet: unknown): string {
  const text = JSON.stringify(packet);
  return `${text.length}#${text}`;
}

/** The frames of a byte stream, however it is cut: their texts. */
export class Deframer {
  private readonly decoder = new StringDecoder();
  private rest = '';

  push(chunk: Buffer): string[] {
    this.rest += this.decoder.write(chunk);
    const frames: string[] = [];
    let at = 0;
    for (;;) {
      const hash = this.rest.indexOf('#', at);
      if (hash === -1) break;
      const end = hash + 1 + Number(this.rest.slice(at, hash));
      if (end > this.rest.length) break;
      frames.push(this.rest.slice(hash + 1, end));
      at = end;
    }
    this.rest = this.rest.slice(at);
    return frames;
  }
}

/** A client that writes packets by hand and keeps every reply. */
export class RpcPeer {
  readonly packets: Packet[] = [];
  private readonly deframer = new Deframer();

  private constructor(readonly peer: Peer) {}

  static async connect(
    target: number | NetConnectOpts,
    options?: { allowHalfOpen?: boolean },
  ): Promise<RpcPeer> {
    const rpc = new RpcPeer(await Peer.connect(target, options));
    rpc.read();
    return rpc;
  }

  read(): void {
    this.peer.socket.on('data', (chunk: Buffer) => {
      for (const text of this.deframer.push(chunk)) this.packets.push(JSON.parse(text) as Packet);
    });
    this.peer.socket.resume();
  }

  send(...packets: readonly unknown[]): this {
    this.peer.write(packets.map(frame).join(''));
    return this;
  }

  /** The replies to a request so far. */
  of(id: unknown): Packet[] {
    return this.packets.filter((packet) => packet.id === id);
  }

  /** The replies to a request, once the last is there. */
  async all(id: unknown): Promise<Packet[]> {
    const last = (): boolean =>
      this.of(id).some(({ isDisposed, status }) => isDisposed === true || status !== undefined);
    await until(() => last() || this.peer.closed, `the last reply to ${String(id)}`);
    return this.of(id);
  }
}
