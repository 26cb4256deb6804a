// A server whose handlers take as long as they are told. TRANSPORT in the environment: tcp: Nest's own, gev: this project's,
// with LOOPS threads. It also tells how late a timer of 5 ms was since it was asked last.
import 'reflect-metadata';
import { Controller } from '@nestjs/common';
import { serve } from './serve.mjs';

const TICK_MS = 5;
let delays = [];
let due = performance.now() + TICK_MS;
setInterval(() => {
  const now = performance.now();
  delays.push(Math.max(now - due, 0));
  due = now + TICK_MS;
}, TICK_MS);

class FairnessController {
  work(ms) {
    if (ms === 0) return ms;
    const end = performance.now() + ms;
    while (performance.now() < end);
    return ms;
  }
  reply(bytes) {
    return 'x'.repeat(bytes);
  }
  delays() {
    const seen = delays;
    delays = [];
    return seen;
  }
}
Controller()(FairnessController);
await serve(FairnessController, ['work', 'reply', 'delays']);
