import { lstatSync, renameSync, type Stats, statSync, unlinkSync } from 'node:fs';
import { createConnection } from 'node:net';
import { resolve } from 'node:path';

/** Bytes of the name of a Unix socket. */
export const LONGEST_PATH = process.platform === 'linux' ? 107 : 103;

/**
 * The name of a listening Unix socket. `node:net` unlinks the name it has bound whoever's it is by then, so a socket is bound
 * under another name and renamed; {@link SocketFile.remove} takes the name away only if it still leads to this very socket.
 */
export class SocketFile {
  private constructor(
    private readonly path: string,
    private readonly device: number,
    private readonly inode: number,
  ) {}

  /** The name to bind to first: the very one where a longer one is too long. */
  static provisional(path: string): string {
    const name = `${path}.${process.pid.toString(36)}`;
    return Buffer.byteLength(name) <= LONGEST_PATH ? name : path;
  }

  /** Gives a socket that listens its name. */
  static rename(path: string): SocketFile {
    const absolute = resolve(path);
    renameSync(SocketFile.provisional(path), absolute);
    const { dev, ino } = lstatSync(absolute);
    return new SocketFile(absolute, dev, ino);
  }

  /** Whether somebody listens there, or something lies there that is no socket. */
  static async isTaken(path: string): Promise<boolean> {
    let status: Stats | undefined;
    try {
      status = statSync(path, { throwIfNoEntry: false });
    } catch {
      return false; // nor may it be bound: that says why
    }
    if (status === undefined) return false;
    if (!status.isSocket()) return true;
    return new Promise((settle) => {
      const probe = createConnection(path);
      probe.once('connect', () => settle(true));
      probe.once('error', (error: NodeJS.ErrnoException) => settle(error.code !== 'ECONNREFUSED'));
      probe.once('close', () => settle(false));
      probe.once('connect', () => probe.destroy());
    });
  }

  /** Leaves it where it may not be removed or looked at any more: whoever stops has more to do. */
  remove(): void {
    try {
      const { dev, ino } = lstatSync(this.path);
      if (dev === this.device && ino === this.inode) unlinkSync(this.path);
    } catch {
      // Gone already, or out of reach.
    }
  }
}
