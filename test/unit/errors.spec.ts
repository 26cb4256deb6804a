import { describe, expect, it } from '@jest/globals';
import {
  GevConnectionClosedError,
  GevDuplicateTimerError,
  GevError,
  GevHandlerError,
  GevListenError,
  GevOptionsError,
} from '../../src/core/errors.js';
import { assertInterval } from '../../src/core/timer.js';

describe('errors', () => {
  it('have a stable code, their class as name, and keep the cause', () => {
    const cause = new Error('deeper');
    const error = new GevHandlerError('it failed', { cause });
    expect(error).toBeInstanceOf(GevError);
    expect(error).toMatchObject({ name: 'GevHandlerError', code: 'ERR_GEV_HANDLER', cause });
    expect(new GevOptionsError('port', 'no')).toMatchObject({
      code: 'ERR_GEV_INVALID_OPTION',
      option: 'port',
    });
    expect(new GevConnectionClosedError('idle')).toMatchObject({ reason: 'idle' });
    expect(new GevDuplicateTimerError('push').message).toContain('"push"');
  });

  it('S1: a listen error carries the code of the system, the address and a remedy', () => {
    const error = new GevListenError(
      'EADDRINUSE',
      { address: '::1', port: 80 },
      { errno: 98, syscall: 'bind' },
    );
    expect(error).toMatchObject({ code: 'EADDRINUSE', address: '::1', port: 80, errno: 98, syscall: 'bind' });
    expect(error.message).toMatch(/^Cannot listen on \[::1\]:80: EADDRINUSE \(.*reusePort.*\)$/);
    expect(new GevListenError('ENOENT', { path: '/no/x.sock' }).message).toContain('/no/x.sock');
    expect(new GevListenError('EWEIRD', { address: '127.0.0.1', port: 1 }).message).toBe(
      'Cannot listen on 127.0.0.1:1: EWEIRD',
    );
  });

  it.each([0, -1, Number.NaN, 2 ** 31, Infinity, 1.5, '5', undefined])(
    'T4: an interval of %p is refused',
    (ms) => {
      expect(() => assertInterval(ms, 'The interval')).toThrow(
        expect.objectContaining({ name: 'GevTimerError', code: 'ERR_GEV_INVALID_INTERVAL' }),
      );
    },
  );

  it('T4: intervals from 1 ms to 2^31 - 1 ms are taken', () => {
    for (const ms of [1, 100, 2 ** 31 - 1]) expect(() => assertInterval(ms, 'The interval')).not.toThrow();
  });
});
