import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { nestJson, type GevServerOptions } from 'nestjs-gev';
import { StringDecoder } from 'node:string_decoder';
import { Peer } from './peer.js';
import { serve, type Service } from './serve.js';
import { until } from './until.js';

/**
 * `<length>#<content>` as bytes. Strings and bytes are the content as they are, anything else becomes JSON. The length is
 * in UTF-16 code units, of bytes in those that a decoder makes of them.
 */
export function frame(content: unknown): Buffer {
  const bytes = Buffer.isBuffer(content)
    ? content
    : Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
  return Buffer.concat([Buffer.from(`${bytes.toString().length}#`), bytes]);
}

/** The ids of the requests in a chunk of whole frames, the first word of a client aside. */
export function requestsIn(chunk: Buffer): string[] {
  const texts = chunk.toString().split(/\d+#(?=\{)/);
  const packets = texts.filter(Boolean).map((text) => JSON.parse(text) as { pattern: unknown; id: string });
  return packets.filter(({ pattern }) => pattern !== 'gev:hello').map(({ id }) => id);
}

/** A client that writes any bytes and reads frames. */
export class FramePeer {
  /** What has arrived, each frame's content. */
  readonly texts: string[] = [];
  private readonly decoder = new StringDecoder();
  private rest = '';

  private constructor(readonly peer: Peer) {
    peer.socket.setNoDelay(true);
    peer.socket.on('data', (chunk: Buffer) => this.take(chunk));
    peer.socket.resume();
  }

  static async connect(port: number): Promise<FramePeer> {
    return new FramePeer(await Peer.connect(port));
  }

  get closed(): boolean {
    return this.peer.closed;
  }

  write(...contents: unknown[]): this {
    this.peer.write(Buffer.concat(contents.map(frame)));
    return this;
  }

  /** As soon as they are there: so many frames, or all there are when the connection ends. */
  async packets(count: number, timeout?: number): Promise<any[]> {
    await until(() => this.texts.length >= count || this.closed, `${count} frames`, timeout);
    return this.texts.splice(0, count).map((text) => JSON.parse(text) as unknown);
  }

  private take(chunk: Buffer): void {
    this.rest += this.decoder.write(chunk);
    let at = 0;
    for (let hash = this.rest.indexOf('#'); hash >= 0; hash = this.rest.indexOf('#', at)) {
      const length = Number(this.rest.slice(at, hash));
      if (this.rest.length <= hash + length) break;
      this.texts.push(this.rest.slice(hash + 1, hash + 1 + length));
      at = hash + 1 + length;
    }
    this.rest = this.rest.slice(at);
  }
}

export interface EchoService extends Service {
  /** The data of every event so far. */
  readonly notes: unknown[];
}

/** A server of Nest's wire format: answers the requests `echo` and `{ cmd: 'echo' }`, and keeps the events `note`. */
export async function serveEcho(options: GevServerOptions = {}): Promise<EchoService> {
  const notes: unknown[] = [];

  @Controller()
  class EchoController {
    @MessagePattern('echo')
    echo(@Payload() data: unknown): unknown {
      return data;
    }

    @MessagePattern({ cmd: 'echo' })
    command(@Payload() data: unknown): unknown {
      return data;
    }

    @EventPattern('note')
    note(@Payload() data: unknown): void {
      notes.push(data);
    }
  }
  const service = await serve({ codec: nestJson(), ...options }, { controllers: [EchoController] });
  return Object.assign(service, { notes });
}
