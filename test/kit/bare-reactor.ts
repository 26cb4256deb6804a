import { raw, Reactor, type ReactorHandler, type ReactorOptions } from 'nestjs-gev/core';
import { onCleanup } from './cleanup.js';

const nothing = (): void => undefined;

/** A reactor of raw bytes without a server, on a free port of 127.0.0.1. It stops with the test. */
export async function listenBare(
  loops: number,
  onMessage: ReactorHandler['onMessage'],
): Promise<{ readonly reactor: Reactor; readonly port: number }> {
  const handler: ReactorHandler = {
    ...{ onOpen: nothing, onText: nothing, onEnd: nothing, onClose: nothing, onError: nothing },
    onMessage,
  };
  const options = {
    ...{ loops, codec: raw(), host: '127.0.0.1', port: 0, noDelay: true, keepAlive: false },
    ...{ highWaterMark: 2 ** 20, lowWaterMark: 2 ** 18, maxSendBuffer: 2 ** 26, maxFrameLength: 2 ** 20 },
    ...{ idleTimeout: 0, incompleteFrameTimeout: 0, closeTimeout: 1_000, halfCloseTimeout: 1_000 },
    userTimeout: 0,
  };
  const reactor = new Reactor(options as ReactorOptions, handler);
  onCleanup(() => reactor.stop());
  const { port } = (await reactor.listen()) as { port: number };
  return { reactor, port };
}
