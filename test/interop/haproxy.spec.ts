import { describe, expect, it } from '@jest/globals';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GevConnection } from 'nestjs-gev';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { serve } from '../kit/serve.js';
import { until } from '../kit/until.js';

/** `scripts/setup --ci` installs it on Debian. */
const hasHaproxy = (() => {
  try {
    execFileSync('haproxy', ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}

/** A HAProxy that passes connections on. Returns its port. */
async function haproxy(to: number, how: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'haproxy-'));
  const port = await freePort();
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(
    file,
    `defaults
  mode tcp
  timeout connect 60s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:${port}
  default_backend out
backend out
  server gev 127.0.0.1:${to} ${how}
`,
  );
  const process: ChildProcess = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' });
  const ended = new Promise((resolve) => process.once('exit', resolve));
  onCleanup(async () => {
    process.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true });
  });
  let open = false;
  const look = async (): Promise<void> => void (open = open || (await isOpen(port)));
  const looking = setInterval(() => void look(), 50);
  await until(() => open).finally(() => clearInterval(looking));
  return port;
}

(hasHaproxy ? describe : describe.skip)('behind HAProxy', () => {
  it.each([
    ['send-proxy', 'v1'],
    ['send-proxy-v2', 'v2'],
    ['send-proxy-v2 proxy-v2-options unique-id check', 'v2'],
  ] as const)('E4: with %s connections have their clients’ addresses', async (how, proxyProtocol) => {
    const opened: GevConnection[] = [];
    const { server, port } = await serve(
      { proxyProtocol, trusted: ['127.0.0.1'] },
      { connect: (conn) => void opened.push(conn), message: (data) => data },
    );
    const peer = (await Peer.connect(await haproxy(port, how))).read();
    peer.write('hello');
    expect(await peer.text(5)).toBe('hello');
    const { localPort } = peer.socket;
    await until(() => opened.some(({ remotePort }) => remotePort === localPort));
    const { remoteAddress, proxy } = opened.find(({ remotePort }) => remotePort === localPort)!;
    expect(remoteAddress).toBe('127.0.0.1');
    expect(proxy?.version).toBe(proxyProtocol === 'v1' ? 1 : 2);
    expect(server.stats().refusals).toMatchObject({ proxyHeader: 0, proxyUntrusted: 0 });
  });
});
