// A server with a small heap that is asked for long replies. TRANSPORT in the environment: tcp: Nest's own, gev: this
// project's, with LOOPS threads; MAX_TOTAL_SEND_BUFFER and MAX_PARTIAL_BYTES are its budgets.
import 'reflect-metadata';
import process from 'node:process';
import { setImmediate as turn } from 'node:timers/promises';
import { Controller } from '@nestjs/common';
import { serve } from './serve.mjs';

const megabyte = 'x'.repeat(1_000_000);

class MemoryController {
  ping(data) {
    return data;
  }
  async much() {
    return megabyte;
  }
  /** Not before everybody else has begun. */
  async later() {
    await turn();
    return megabyte;
  }
}
Controller()(MemoryController);
const silent = () => undefined;
await serve(MemoryController, ['ping', 'much', 'later'], {
  maxTotalSendBuffer: Number(process.env.MAX_TOTAL_SEND_BUFFER),
  maxPartialBytes: Number(process.env.MAX_PARTIAL_BYTES),
  logger: { log: silent, warn: silent, error: silent },
});
