import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { GevListenWatch } from '../../src/module/gev-listen.watch.js';
import { GevServer } from '../../src/server/gev.server.js';

describe('GevListenWatch', () => {
  it('N5: a module whose server never listens is a warning that names the remedy', () => {
    jest.useFakeTimers();
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    try {
      const idle = new GevListenWatch(new GevServer());
      idle.onApplicationBootstrap();
      const closed = new GevListenWatch(new GevServer());
      closed.onApplicationBootstrap();
      closed.beforeApplicationShutdown();
      jest.advanceTimersByTime(60_000);
      expect(warn.mock.calls).toEqual([[expect.stringContaining('strategy: app.get(GevServer)')]]);
    } finally {
      warn.mockRestore();
      jest.useRealTimers();
    }
  });
});
