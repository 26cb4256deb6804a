import { describe, expect, it } from '@jest/globals';
import { availableParallelism } from 'node:os';
import { defaultMaxTotalSendBuffer } from '../../src/core/budgets.js';
import type { GevServerOptions } from '../../src/core/options.js';
import { automaticLoops, validateServerOptions } from '../../src/core/validate-options.js';
import { nestJson } from '../../src/protocol/nest-json/nest-json.js';

const refusal = (options: unknown): Error & { code?: string; option?: string } => {
  try {
    validateServerOptions(options as GevServerOptions);
  } catch (error) {
    return error as Error;
  }
  throw new Error('The options were accepted');
};

describe('server options', () => {
  it('have defaults', () => {
    expect(validateServerOptions()).toEqual({
      host: 'localhost',
      port: 3000,
      path: undefined,
      listeners: [
        {
          ...{ name: undefined, host: 'localhost', port: 3000, path: undefined },
          ...{ codec: nestJson(), concurrency: Infinity, tlsOptions: false },
        },
      ],
      backlog: 4096,
      reusePort: false,
      ipv6Only: false,
      engine: 'auto',
      loops: automaticLoops(availableParallelism()),
      loadBalance: 'round-robin',
      maxConnections: 0,
      maxConnectionsPerAddress: 0,
      acceptRate: 0,
      acceptRatePerAddress: 0,
      proxyProtocol: undefined,
      trusted: undefined,
      allow: undefined,
      deny: [],
      codec: nestJson(),
      concurrency: Infinity,
      maxInFlight: Infinity,
      maxFrameLength: 64 * 1024 * 1024,
      maxPartialBytes: 128 * 1024 * 1024,
      incompleteFrameTimeout: 30_000,
      serializer: undefined,
      deserializer: undefined,
      noDelay: true,
      keepAlive: false,
      userTimeout: 0,
      receiveBufferSize: undefined,
      sendBufferSize: undefined,
      streamDrainTimeout: 1_000,
      maxConnectionAge: 0,
      highWaterMark: 1024 * 1024,
      lowWaterMark: 256 * 1024,
      maxSendBuffer: 64 * 1024 * 1024,
      maxTotalSendBuffer: defaultMaxTotalSendBuffer(),
      overflow: 'buffer',
      overflowLimit: 1024,
      idleTimeout: 0,
      idleOn: 'any',
      handshakeTimeout: 10_000,
      closeTimeout: 5_000,
      halfCloseTimeout: 30_000,
      drainTimeout: 10_000,
      logger: undefined,
    });
  });

  it("S4: 'auto' means the JavaScript thread on one or two cores, else a thread per further core, at most 4", () => {
    expect([1, 2, 3, 4, 5, 64].map(automaticLoops)).toEqual([0, 0, 2, 3, 4, 4]);
  });

  it.each([-1, 65, 1.5, '2', Number.NaN])('S4: loops %p is refused', (loops) => {
    expect(refusal({ loops })).toMatchObject({ code: 'ERR_GEV_INVALID_OPTION', option: 'loops' });
    expect(refusal({ loops }).message).toContain("'auto' or an integer from 0 to 64");
  });

  it.each<[keyof GevServerOptions, unknown]>([
    ['host', ''],
    ['port', 65_536],
    ['port', 'eighty'],
    ['port', '65536'],
    ['path', 5],
    ['backlog', 0],
    ['reusePort', 1],
    ['ipv6Only', 'yes'],
    ['loadBalance', 'random'],
    ['maxConnections', -1],
    ['codec', {}],
    ['codec', 'raw'],
    ['concurrency', 0],
    ['noDelay', 'true'],
    ['keepAlive', 0],
    ['keepAlive', 32_767_001],
    ['userTimeout', -1],
    ['receiveBufferSize', 0],
    ['sendBufferSize', 1.5],
    ['highWaterMark', 0],
    ['lowWaterMark', -1],
    ['maxPartialBytes', 0],
    ['maxTotalSendBuffer', 0.5],
    ['maxSendBuffer', Infinity],
    ['idleTimeout', 2 ** 31],
    ['idleOn', 'sent'],
    ['handshakeTimeout', -1],
    ['closeTimeout', -1],
    ['halfCloseTimeout', '5'],
    ['drainTimeout', Number.NaN],
    ['logger', { log: () => undefined }],
  ])('%s: %p is refused by name', (option, value) => {
    const error = refusal({ [option]: value });
    expect(error).toMatchObject({ name: 'GevOptionsError', code: 'ERR_GEV_INVALID_OPTION', option });
    expect(error.message).toMatch(new RegExp(`^Option "${option}" must be .+, not .+$`));
  });

  it('N3: undefined and null are options left out, and a port may be text, as in the environment', () => {
    const names = Object.keys(validateServerOptions());
    const absent: unknown = Object.fromEntries(names.map((name) => [name, null]));
    expect(validateServerOptions(absent as GevServerOptions)).toEqual(validateServerOptions());
    const nestOnly = { tlsOptions: undefined, serializer: null, port: '3001' };
    expect(validateServerOptions(nestOnly as unknown as GevServerOptions).port).toBe(3001);
  });

  it('an unknown name is refused with the one that was probably meant', () => {
    expect(refusal({ idleTimout: 5 }).message).toBe(
      'There is no option "idleTimout": did you mean "idleTimeout"?',
    );
    expect(refusal({ reuseport: true }).message).toContain('"reusePort"');
    expect(refusal({ frobnicate: 1 }).message).toContain('options: name, host, port,');
  });

  it('K1: keepAlive as a boolean, a number or an object has all its parts', () => {
    const resolve = (keepAlive: GevServerOptions['keepAlive']) =>
      validateServerOptions({ keepAlive }).keepAlive;
    expect(resolve(false)).toBe(false);
    expect(resolve(true)).toEqual({ delay: 60_000, interval: 20_000, count: 3 });
    expect(resolve(9_000)).toEqual({ delay: 9_000, interval: 3_000, count: 3 });
    expect(resolve(500)).toEqual({ delay: 500, interval: 1_000, count: 3 });
    expect(resolve({ delay: 5_000, interval: 2_000, count: 2 })).toEqual({
      delay: 5_000,
      interval: 2_000,
      count: 2,
    });
    expect(resolve({ count: 9 })).toEqual({ delay: 60_000, interval: 20_000, count: 9 });
    expect(refusal({ keepAlive: { count: 128 } })).toMatchObject({ option: 'keepAlive.count' });
    expect(refusal({ keepAlive: { probes: 1 } }).message).toContain('"keepAlive.probes"');
  });

  it('K1: a userTimeout that one lost probe would use up is refused', () => {
    const keepAlive = { delay: 1_000, interval: 1_000, count: 2 };
    expect(validateServerOptions({ keepAlive, userTimeout: 3_000 }).userTimeout).toBe(3_000);
    expect(validateServerOptions({ userTimeout: 1 }).userTimeout).toBe(1);
    const error = refusal({ keepAlive, userTimeout: 2_999 });
    expect(error).toMatchObject({ option: 'userTimeout' });
    expect(error.message).toContain('at least 3000');
  });

  it('a path excludes host and port', () => {
    expect(validateServerOptions({ path: '/tmp/a.sock' }).path).toBe('/tmp/a.sock');
    expect(refusal({ path: '/tmp/a.sock', port: 0 }).message).toContain('excludes');
  });

  it('the water marks must be in order, and follow the cap where only that is given', () => {
    expect(validateServerOptions({ highWaterMark: 100 }).lowWaterMark).toBe(25);
    expect(validateServerOptions({ highWaterMark: 2 ** 30 }).maxSendBuffer).toBe(2 ** 30);
    expect(validateServerOptions({ maxSendBufferSize: 1000 })).toMatchObject({
      maxSendBuffer: 1000,
      highWaterMark: 1000,
    });
    expect(refusal({ lowWaterMark: 20, highWaterMark: 10 })).toMatchObject({ option: 'lowWaterMark' });
    const frames = { maxFrameLength: 20, maxPartialBytes: 10 };
    expect(refusal(frames)).toMatchObject({ option: 'maxFrameLength' });
    expect(refusal({ highWaterMark: 20, maxSendBuffer: 10 })).toMatchObject({ option: 'highWaterMark' });
  });
});
