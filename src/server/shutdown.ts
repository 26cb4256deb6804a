import type { Reactor } from '../core/reactor.js';
import { within } from '../core/within.js';
import type { ConnectionEvents } from './connection-events.js';

/** What is left for closing when handlers have used up all the time: enough for a FIN, and for empty buffers. */
const LEAST_CLOSE_MS = 100;

/**
 * Brings a server that runs to rest: accepts and reads no more, lets handlers at work answer, closes every connection
 * with its output flushed, and waits for the `@OnClose` handlers.
 *
 * @param ms how long all of it may take; what is still going on then is cut
 */
export async function drain(reactor: Reactor, events: ConnectionEvents, ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  const left = (): number => Math.max(deadline - performance.now(), 0);
  await within(reactor.quiesce(), left());
  if (!(await events.work.zero(left()))) events.expire();
  await reactor.closeAll(Math.max(left(), LEAST_CLOSE_MS));
  await events.closing.zero(Math.max(left(), LEAST_CLOSE_MS));
}
