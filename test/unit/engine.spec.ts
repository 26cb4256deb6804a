import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Reactor, type ReactorHandler } from 'nestjs-gev/core';
import { raw } from 'nestjs-gev';
import { exceptions } from '../engines/exceptions.mjs';
import { knowsReusePort } from '../../src/engine/javascript/socket-listener.js';
import { until } from '../kit/until.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

const silent: ReactorHandler = {
  onOpen: () => undefined,
  onMessage: (connection, data) => void connection.send(data),
  onText: () => undefined,
  onEnd: (connection) => connection.close(),
  onClose: () => undefined,
  onError: () => undefined,
};

/** Runs a program beside the package as it is where no binary fits. */
function runWithoutAddon(program: string): { stdout: string; stderr: string } {
  const folder = mkdtempSync(join(tmpdir(), 'gev-engine-'));
  try {
    for (const part of ['package.json', 'dist', 'native/load.cjs']) {
      cpSync(join(root, part), join(folder, part), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const { PATH } = process.env;
    const args = ['--input-type=module', '-e', program];
    return spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', env: { PATH } });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const reactors: Reactor[] = [];
afterEach(() => Promise.all(reactors.splice(0).map((reactor) => reactor.stop())));

function make(
  options: ConstructorParameters<typeof Reactor>[0],
  handler: Partial<ReactorHandler> = {},
): Reactor {
  const reactor = new Reactor(
    { host: '127.0.0.1', port: 0, loops: 0, codec: raw(), ...options },
    { ...silent, ...handler },
  );
  reactors.push(reactor);
  return reactor;
}

describe('the engine of a reactor', () => {
  it.each(['native', 'javascript'] as const)('J3: %s serves where it is asked for', async (engine) => {
    const reactor = make({ engine });
    expect(reactor.engine).toBeUndefined();
    await reactor.listen();
    expect(reactor.engine).toBe(engine);
    await reactor.stop();
    expect(reactor.engine).toBeUndefined();
  });

  it('J3: both talk to each other', async () => {
    const { port } = (await make({ engine: 'javascript' }).listen()) as { port: number };
    let received = '';
    const dialler = make(
      { engine: 'native' },
      { onMessage: (_, data) => void (received += data.toString()) },
    );
    await dialler.start();
    const connection = await dialler.dial({ host: '127.0.0.1', port }, 5_000);
    connection.send('hello');
    await until(() => received === 'hello');
  });

  it('J3: another word is refused, in the environment too', () => {
    expect(() => make({ engine: 'rust' as 'native' })).toThrow(/engine.*'auto', 'native', 'javascript'/);
    const before = process.env.GEV_ENGINE;
    process.env.GEV_ENGINE = 'rust';
    try {
      expect(() => make({})).toThrow(/GEV_ENGINE/);
    } finally {
      if (before === undefined) delete process.env.GEV_ENGINE;
      else process.env.GEV_ENGINE = before;
    }
  });

  it.each([
    ['loops', { loops: 64 }],
    ['loadBalance', { loadBalance: 'least-connections' }],
    ['keepAlive.interval', { keepAlive: { interval: 7_000 } }],
    ['keepAlive.count', { keepAlive: { count: 7 } }],
    ['userTimeout', { userTimeout: 10_000 }],
    ['receiveBufferSize', { receiveBufferSize: 4096 }],
    ['sendBufferSize', { sendBufferSize: 4096 }],
    ...(knowsReusePort() ? [] : [['reusePort', { reusePort: true }] as const]),
  ] as const)('J3: node:net has no %s: whoever asks for it is told so, once', async (name, options) => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    try {
      for (let times = 0; times < 2; times++) await make({ engine: 'javascript', ...options }).listen();
      expect(warn.mock.calls).toEqual([
        [
          `The JavaScript engine has no ${name}: see docs/platforms.md`,
          { type: 'GevWarning', code: 'GEV_JAVASCRIPT_ENGINE_LACKS' },
        ],
      ]);
    } finally {
      warn.mockRestore();
    }
    const page = readFileSync(`${root}/docs/platforms.md`, 'utf8');
    for (const word of name.split('.')) expect(page).toContain(`\`${word}\``);
  });

  it('J3: nobody is told of what was not asked for', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    try {
      await make({ engine: 'javascript', loops: 'auto', keepAlive: 30_000, noDelay: false }).listen();
      expect(warn).not.toHaveBeenCalled();
    } finally {
      warn.mockRestore();
    }
  });

  it('J1: without an addon JavaScript serves, and one line says what that costs', () => {
    const { stdout, stderr } = runWithoutAddon(`
      import net from 'node:net';
      import { GevServer, raw } from 'nestjs-gev';
      import { Reactor } from 'nestjs-gev/core';
      const handler = { onOpen() {}, onMessage: (c, data) => c.send(data), onEnd: (c) => c.close(), onClose() {}, onError() {} };
      const reactors = [1, 2].map(() => new Reactor({ host: '127.0.0.1', port: 0, codec: raw() }, handler));
      const [{ port }] = await Promise.all(reactors.map((reactor) => reactor.listen()));
      const peer = net.connect(port, '127.0.0.1').on('data', async (data) => {
        console.log(data.toString(), reactors[0].engine);
        peer.destroy();
        for (const reactor of reactors) await reactor.stop();
      });
      peer.write('hello');`);
    expect(stdout).toBe('hello javascript\n');
    expect(stderr.match(/GEV_JAVASCRIPT_ENGINE/g)).toHaveLength(1);
    expect(stderr).toMatch(
      /No native addon for \S+ \(not found\): the JavaScript engine serves, on one thread/,
    );
    expect(stderr).toContain('(not found). Looked for:');
  });

  it('J1: one that is asked for is an error where it is missing', () => {
    const { stdout } = runWithoutAddon(`
      import { GevServer } from 'nestjs-gev';
      new GevServer({ port: 0, engine: 'native' }).listen((error) => console.log(error.code));`);
    expect(stdout).toBe('ERR_GEV_NATIVE_MISSING\n');
  });

  it('J3: users are told of every row that an exception is made for', () => {
    const page = readFileSync(`${root}/docs/platforms.md`, 'utf8');
    for (const { row } of exceptions) expect(page).toMatch(new RegExp(`\\b${row}\\b`));
  });
});
