import { type GevCodec, raw, Reactor, type ReactorHandler } from 'nestjs-gev/core';
import { onCleanup } from './cleanup.js';

const nothing = (): void => undefined;

/** A reactor without a server, of raw bytes unless a codec is given, on a free port of 127.0.0.1. It stops with the test. */
export async function listenBare(
  loops: number,
  onMessage: ReactorHandler['onMessage'],
  codec: GevCodec = raw(),
): Promise<{ readonly reactor: Reactor; readonly port: number }> {
  const handler: ReactorHandler = {
    ...{ onOpen: nothing, onText: nothing, onEnd: nothing, onClose: nothing, onError: nothing },
    onMessage,
  };
  const reactor = new Reactor({ loops, codec, host: '127.0.0.1', port: 0, closeTimeout: 1_000 }, handler);
  onCleanup(() => reactor.stop());
  const { port } = (await reactor.listen()) as { port: number };
  return { reactor, port };
}
