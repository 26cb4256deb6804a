// Services and clients on whichever runtime runs this. A line {"step":…} for each thing that was tried, with "error" where it
// failed; then the process ends of itself.
import 'reflect-metadata';
import { GevNativeError, raw, type GevEngine } from 'nestjs-gev';
import { Reactor } from 'nestjs-gev/core';
import assert from 'node:assert/strict';
import { tryBytes } from './bytes.js';
import { tryRpc } from './rpc.js';
import { onCleanup, step } from './steps.js';

const nothing = (): void => undefined;
const reactor = (engine?: GevEngine): Reactor =>
  new Reactor(
    { host: '127.0.0.1', port: 0, codec: raw(), ...(engine && { engine }) },
    {
      ...{ onOpen: nothing, onMessage: nothing, onText: nothing },
      ...{ onEnd: nothing, onClose: nothing, onError: nothing },
    },
  );

await step("engine: 'native' is refused, typed; 'auto' is the engine in JavaScript", async () => {
  const refused = reactor('native').listen();
  await assert.rejects(
    refused,
    (error) => error instanceof GevNativeError && /needs Node, and this is (Bun|Deno) \d/.test(error.message),
  );
  const served = reactor();
  onCleanup(() => served.stop());
  await served.listen();
  assert.equal(served.engine, 'javascript');
});
await tryBytes();
await tryRpc();
