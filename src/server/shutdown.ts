import { debug } from '../core/debug.js';
import type { ResolvedGevServerOptions } from '../core/options.js';
import type { Reactor } from '../core/reactor.js';
import { within } from '../core/within.js';
import type { ConnectionEvents } from './connections/connection-events.js';
import { lastMoments } from './connections/connection-ages.js';

/** What is left for closing when handlers have used up all the time: enough for a FIN, and for empty buffers. */
const LEAST_CLOSE_MS = 100;
/** Of the time there is, how much may pass until the last of many peers has been asked to go. */
const LEAVING_SHARE = 0.25;

/**
 * Brings a server that runs to rest: accepts no more, lets handlers at work answer, closes every connection with its
 * output flushed, and waits for the `@OnClose` handlers.
 *
 * Peers that speak Nest's JSON are asked to go and served until they do, or have been quiet for a while. Others cannot be asked: of what
 * the kernel holds when the server stops all is handled, and nothing later is read.
 *
 * @param options `drainTimeout`: how long all of it may take; what is still going on then is cut
 */
export async function drain(
  reactor: Reactor,
  events: ConnectionEvents,
  options: Pick<ResolvedGevServerOptions, 'drainTimeout' | 'streamDrainTimeout'>,
): Promise<void> {
  const { drainTimeout, streamDrainTimeout } = options;
  const deadline = performance.now() + drainTimeout;
  const left = (): number => Math.max(deadline - performance.now(), 0);
  debug('draining %d connections, within %d ms', reactor.connections.size, drainTimeout);
  const stopLimiting = events.limitStreams(streamDrainTimeout);
  if (events.canAsk) await sendAway(reactor, events, left);
  else await within(reactor.quiesce(), left());
  if (!(await events.work.wait(left()))) {
    debug('drainTimeout is over: what is in flight is answered with an error');
    events.expire();
  }
  stopLimiting();
  await reactor.closeAll(Math.max(left(), LEAST_CLOSE_MS));
  await events.lifecycle.closing.wait(Math.max(left(), LEAST_CLOSE_MS));
  debug('drained, with %d ms left', Math.round(left()));
}

async function sendAway(reactor: Reactor, events: ConnectionEvents, left: () => number): Promise<void> {
  await within(reactor.stopAccepting(), left());
  debug('asking %d clients to go', reactor.connections.size);
  await events.leave(left() * LEAVING_SHARE);
  const rest = left();
  if (await reactor.whenEmpty(rest - lastMoments(rest))) return;
  debug('%d connections stay: each closes with its last reply', reactor.connections.size);
  events.finishSoon();
  if (await reactor.whenEmpty(left() / 2)) return;
  debug('%d connections stay: nothing more is read from them', reactor.connections.size);
  events.stopReading();
  await reactor.whenEmpty(left());
}
