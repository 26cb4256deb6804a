import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { certificates } from './certificates.js';
import { onCleanup } from './cleanup.js';
import { until } from './until.js';

/** A client of Node's own over TLS. */
export class SecurePeer {
  private readonly chunks: Buffer[] = [];
  /** `end`, `close`, or the message of an error, in the order they came. */
  readonly events: string[] = [];
  /** The last session that may be resumed. */
  session: Buffer | undefined;

  constructor(readonly socket: TLSSocket) {
    socket.on('error', (error) => this.events.push(error.message));
    socket.on('end', () => this.events.push('end'));
    socket.on('close', () => this.events.push('close'));
    socket.on('data', (chunk: Buffer) => this.chunks.push(chunk));
    socket.on('session', (session: Buffer) => (this.session = session));
    onCleanup(() => socket.destroy());
  }

  /** Not connected yet, and perhaps never: see {@link events}. */
  static dial(port: number, options: ConnectionOptions = {}): SecurePeer {
    const { ca } = certificates;
    return new SecurePeer(connect({ port, host: '127.0.0.1', servername: 'localhost', ca, ...options }));
  }

  static async connect(port: number, options: ConnectionOptions = {}): Promise<SecurePeer> {
    const peer = SecurePeer.dial(port, options);
    await once(peer.socket, 'secureConnect');
    return peer;
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get closed(): boolean {
    return this.events.includes('close');
  }

  /** What has come by the time that as much has come as is sent now. */
  async echoed(data: string | Buffer): Promise<Buffer> {
    const begin = this.received.length;
    this.socket.write(data);
    const length = begin + Buffer.byteLength(data);
    await until(() => this.chunks.reduce((sum, chunk) => sum + chunk.length, 0) >= length || this.closed);
    return this.received.subarray(begin);
  }

  /** The error with which it was turned away. */
  async refusal(): Promise<string> {
    this.socket.write('hello');
    await until(() => this.closed);
    return this.events.find((event) => event !== 'end' && event !== 'close') ?? '';
  }
}

/** What the command line of OpenSSL prints as a client, once it was told `input`. */
export function sClient(port: number, input: string, ...options: string[]): Promise<string> {
  return new Promise((resolve) => {
    const argv = ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', certificates.path('ca.crt')];
    const child = execFile('openssl', [...argv, ...options], { timeout: 30_000 }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
    child.stdin!.on('error', () => undefined);
    child.stdin!.end(input);
  });
}
