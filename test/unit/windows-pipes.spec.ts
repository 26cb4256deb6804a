import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { socketPath } from '../../src/core/option-checks.js';
import { systemErrorName } from '../../src/core/system-error.js';
import { errnoOf } from '../../src/engine/javascript/errno.js';
import { SocketListener } from '../../src/engine/javascript/socket-listener.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const options = { backlog: 16, ipv6Only: false, noDelay: true, reusePort: false };

describe('Windows', () => {
  it.each([
    String.raw`\\.\pipe\orders`,
    String.raw`\\?\pipe\orders`,
    '//./pipe/orders',
    String.raw`\\.\PIPE\a\b`,
  ])('S2: %s is a path', (path) => expect(socketPath({ path }, 'path', 'win32')).toBe(path));

  it.each(['orders', '/tmp/orders.sock', String.raw`C:\orders.sock`, String.raw`\\.\pipe`, '\\\\.\\pipe\\'])(
    'S2: %s is none, and the message says what one is',
    (path) => {
      expect(() => socketPath({ path }, 'path', 'win32')).toThrow(
        /"path".*name of a pipe, such as \\\\\.\\pipe\\orders/,
      );
      expect(socketPath({ path }, 'path', 'linux')).toBe(path);
    },
  );

  it('S2: a pipe is bound by its very name, and no file is looked for, renamed or removed', async () => {
    // A pipe's name is nothing that the file system knows: here, any file beside it stays as it was.
    const folder = mkdtempSync(join(tmpdir(), 'gev-pipe-'));
    try {
      writeFileSync(join(folder, 'bystander'), '');
      const path = join(folder, 'pipe');
      const sockets: Socket[] = [];
      const listener = new SocketListener(
        options,
        (socket) => sockets.push(socket),
        () => undefined,
        'win32',
      );
      const listening = listener.listen(path, -1);
      expect(readdirSync(folder)).toEqual(['bystander', 'pipe']); // under no other name before
      expect(await listening).toEqual({ address: path, port: 0, family: 1 });
      const peer = connect(path);
      await once(peer, 'connect');
      peer.destroy();
      listener.close();
      for (const socket of sockets) socket.destroy();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('J1: npm installs the package: it names no systems', () => {
    const manifest = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as object;
    for (const name of ['os', 'cpu', 'libc']) expect(manifest).not.toHaveProperty(name);
  });

  it('J3: errors have the numbers of errno.h, and by them their names', () => {
    // libuv's own numbers there.
    const refused = Object.assign(new Error(), { code: 'ECONNREFUSED', errno: -4078 });
    expect(errnoOf(refused)).toBe(constants.errno.ECONNREFUSED);
    for (const name of ['ECONNREFUSED', 'ETIMEDOUT', 'EADDRINUSE', 'ENOBUFS', 'EAGAIN', 'ENOTSUP'] as const)
      expect(systemErrorName(constants.errno[name])).toBe(name);
    expect(errnoOf(new Error())).toBe(0);
    expect(errnoOf(Object.assign(new Error(), { code: 'EWHATEVER', errno: -9_999 }))).toBe(9_999);
    expect(systemErrorName(0)).toBe('ERRNO_0');
  });
});
