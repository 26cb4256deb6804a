import { existsSync } from 'node:fs';
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { constants } from 'node:os';
import { dirname, resolve } from 'node:path';
import { errnoOf } from './errno.js';
import { LONGEST_PATH, SocketFile } from './socket-file.js';
import type { EngineOptions } from '../engine-options.js';
import type { EngineAddress } from '../engine.js';

/** Where an engine listens: an address and port, or a Unix socket with its file, or what Windows has instead, a named pipe. */
export class SocketListener {
  /** Of a Unix socket or pipe; undefined for TCP. */
  path: string | undefined;
  private readonly server: Server;
  private file: SocketFile | undefined;

  constructor(
    private readonly options: Pick<EngineOptions, 'backlog' | 'ipv6Only' | 'noDelay' | 'reusePort'>,
    onSocket: (socket: Socket) => void,
    /** Told what made accepting fail; it goes on. */
    private readonly onFailure: (errno: number) => void,
    private readonly platform = process.platform,
  ) {
    this.server = createServer({ allowHalfOpen: true, noDelay: options.noDelay }, onSocket).unref();
  }

  /** `port` -1: `host` is a path. Fails as `Engine.listen()` does. */
  async listen(host: string, port: number): Promise<EngineAddress> {
    try {
      if (port === -1) await this.bindPath(host);
      else await this.bind(this.addressOptions(host, port));
    } catch (error) {
      throw Object.assign(error as NodeJS.ErrnoException, {
        errno: -errnoOf(error as NodeJS.ErrnoException),
        syscall: 'bind',
      });
    }
    this.server.on('error', (error) => this.onFailure(errnoOf(error)));
    const address = this.server.address();
    if (address === null || typeof address === 'string') return { address: host, port: 0, family: 1 };
    return { address: address.address, port: address.port, family: address.family === 'IPv6' ? 6 : 4 };
  }

  /** Idempotent. */
  close(): void {
    this.file?.remove();
    this.file = undefined;
    this.server.close();
  }

  private addressOptions(host: string, port: number): ListenOptions {
    const { backlog, ipv6Only, reusePort } = this.options;
    // Where Node does not know `reusePort`, workers of a cluster share the primary's listener.
    return {
      host,
      port,
      backlog,
      ipv6Only,
      ...(reusePort && knowsReusePort() && { reusePort, exclusive: true }),
    };
  }

  private async bindPath(path: string): Promise<void> {
    this.path = path;
    const { backlog } = this.options;
    if (this.platform === 'win32') return this.bind({ path, backlog }); // its name goes with whoever listens
    if (Buffer.byteLength(path) > LONGEST_PATH) throw bindError('ENAMETOOLONG', path);
    // libuv would say EACCES.
    if (!existsSync(dirname(resolve(path)))) throw bindError('ENOENT', path);
    if (await SocketFile.isTaken(path)) throw bindError('EADDRINUSE', path);
    await this.bind({ path: SocketFile.provisional(path), backlog, exclusive: true });
    this.file = SocketFile.rename(path);
  }

  private bind(options: ListenOptions): Promise<void> {
    const { server } = this;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(options, () => {
        server.removeListener('error', reject);
        resolve();
      });
    });
  }
}

function bindError(code: 'EADDRINUSE' | 'ENAMETOOLONG' | 'ENOENT', path: string): Error {
  return Object.assign(new Error(`bind ${code} ${path}`), { code, errno: -constants.errno[code] });
}

/** Whether this Node knows SO_REUSEPORT. */
export function knowsReusePort(): boolean {
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
}
