import { describe, expect, it } from '@jest/globals';
import { availableParallelism } from 'node:os';
import type { GevClientOptions } from '../../src/client/gev.client.options.js';
import { validateClientOptions } from '../../src/client/validate-client-options.js';
import { nestJson } from '../../src/protocol/nest-json/nest-json.js';
import { automaticLoops } from '../../src/core/validate-options.js';

const refusal = (options: unknown): Error & { code?: string; option?: string } => {
  try {
    validateClientOptions(options as GevClientOptions);
  } catch (error) {
    return error as Error;
  }
  throw new Error('The options were accepted');
};

describe('client options', () => {
  it('have defaults', () => {
    expect(validateClientOptions()).toEqual({
      endpoints: [{ host: 'localhost', port: 3000 }],
      balance: 'round-robin',
      connections: 1,
      engine: 'auto',
      loops: Math.min(automaticLoops(availableParallelism()), 1),
      connectTimeout: 5_000,
      requestTimeout: 30_000,
      reconnect: { initialDelay: 100, maxDelay: 5_000, factor: 2, jitter: 0.5 },
      offlineQueue: 0,
      ejection: { failures: 5, duration: 5_000 },
      codec: nestJson(),
      serializer: undefined,
      deserializer: undefined,
      maxFrameLength: 64 * 1024 * 1024,
      incompleteFrameTimeout: 30_000,
      maxSendBuffer: 64 * 1024 * 1024,
      highWaterMark: 1024 * 1024,
      noDelay: true,
      keepAlive: false,
      userTimeout: 0,
      logger: undefined,
    });
  });

  it('say where the servers are in one of three ways', () => {
    expect(validateClientOptions({ port: 1 }).endpoints).toEqual([{ host: 'localhost', port: 1 }]);
    expect(validateClientOptions({ path: '/tmp/a' }).endpoints).toEqual([{ path: '/tmp/a' }]);
    expect(
      validateClientOptions({ endpoints: [{ host: 'a' }, { port: 2 }, { path: '/b' }] }).endpoints,
    ).toEqual([{ host: 'a', port: 3000 }, { host: 'localhost', port: 2 }, { path: '/b' }]);
    expect(refusal({ path: '/a', port: 1 })).toMatchObject({ option: 'path' });
    expect(refusal({ endpoints: [{ port: 1 }], host: 'a' })).toMatchObject({ option: 'endpoints' });
    expect(refusal({ endpoints: [{ path: '/a', port: 1 }] })).toMatchObject({ option: 'endpoints[0].path' });
  });

  it.each<[string, object]>([
    ['endpoints', { endpoints: [] }],
    ['endpoints', { endpoints: 'localhost' }],
    ['endpoints[1]', { endpoints: [{ port: 1 }, 5] }],
    ['endpoints[0].port', { endpoints: [{ port: 0 }] }],
    ['balance', { balance: 'random' }],
    ['connections', { connections: 0 }],
    ['loops', { loops: 65 }],
    ['connectTimeout', { connectTimeout: -1 }],
    ['requestTimeout', { requestTimeout: 2 ** 31 }],
    ['reconnect', { reconnect: true }],
    ['reconnect.initialDelay', { reconnect: { initialDelay: 0 } }],
    ['reconnect.factor', { reconnect: { factor: 0.5 } }],
    ['reconnect.jitter', { reconnect: { jitter: 1.5 } }],
    ['offlineQueue', { offlineQueue: -1 }],
    ['ejection', { ejection: 5 }],
    ['ejection.failures', { ejection: { failures: 0 } }],
    ['ejection.duration', { ejection: { duration: '5s' } }],
    ['serializer', { serializer: {} }],
    ['deserializer', { deserializer: () => undefined }],
    ['maxFrameLength', { maxFrameLength: 0 }],
    ['incompleteFrameTimeout', { incompleteFrameTimeout: -1 }],
    ['maxSendBuffer', { maxSendBuffer: 0 }],
    ['highWaterMark', { highWaterMark: Number.NaN }],
    ['noDelay', { noDelay: 1 }],
    ['keepAlive', { keepAlive: 0 }],
    ['keepAlive.interval', { keepAlive: { interval: 0 } }],
    ['userTimeout', { userTimeout: 0.5 }],
    ['logger', { logger: {} }],
  ])('%s is refused by name where its value is wrong', (option, options) => {
    const error = refusal(options);
    expect(error).toMatchObject({ name: 'GevOptionsError', code: 'ERR_GEV_INVALID_OPTION', option });
    expect(error.message).toMatch(/^Option ".+" must be .+, not .+$/);
  });

  it('unknown names are refused with the one that was probably meant, nested ones too', () => {
    expect(refusal({ requestTimout: 5 }).message).toContain('did you mean "requestTimeout"?');
    expect(refusal({ reconnect: { maxdelay: 5 } }).message).toBe(
      'There is no option "reconnect.maxdelay": did you mean "maxDelay"?',
    );
    expect(refusal({ endpoints: [{ hots: 'a' }] }).message).toContain('endpoints[0].hots');
    expect(refusal(5).message).toContain('must be an object');
  });

  it('take the names that Nest has for them, but not both', () => {
    const options = { maxBufferSize: 5_000, incompleteMessageTimeout: 50, maxSendBufferSize: 2 ** 21 };
    expect(validateClientOptions(options)).toMatchObject({
      maxFrameLength: 5_000,
      incompleteFrameTimeout: 50,
      maxSendBuffer: 2 ** 21,
    });
    expect(validateClientOptions({ maxSendBufferSize: 1000 })).toMatchObject({ highWaterMark: 1000 });
    expect(refusal({ maxFrameLength: 1, maxBufferSize: 1 })).toMatchObject({ option: 'maxBufferSize' });
  });

  it('fill in what is left out of an option that is an object', () => {
    expect(validateClientOptions({ reconnect: { initialDelay: 9_000 } }).reconnect).toEqual({
      initialDelay: 9_000,
      maxDelay: 9_000,
      factor: 2,
      jitter: 0.5,
    });
    expect(validateClientOptions({ ejection: { failures: 2 } }).ejection).toEqual({
      failures: 2,
      duration: 5_000,
    });
    expect(validateClientOptions({ reconnect: false, ejection: false })).toMatchObject({
      reconnect: false,
      ejection: false,
    });
  });

  it('that contradict each other are refused', () => {
    expect(refusal({ offlineQueue: 5, reconnect: false })).toMatchObject({ option: 'offlineQueue' });
    expect(refusal({ highWaterMark: 20, maxSendBuffer: 10 })).toMatchObject({ option: 'highWaterMark' });
    expect(refusal({ reconnect: { initialDelay: 20, maxDelay: 10 } })).toMatchObject({
      option: 'reconnect.initialDelay',
    });
  });
});
