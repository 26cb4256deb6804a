import { MAX_SHARED_PAYLOAD } from '../engine/native/outbound.js';
import type { GevConnection, GevReceivers } from './connection.js';
import { assertData, type GevData } from './data.js';
import { GevHandlerError } from './errors.js';
import { frameTooLong, longestFrame } from './frame-limits.js';
import type { ResolvedReactorOptions } from './options.js';
import type { ReactorConnection } from './reactor-connection.js';
import type { ReactorLoop } from './reactor-loop.js';
import type { ReactorState } from './reactor-state.js';

/**
 * As {@link Reactor.broadcast}.
 *
 * @throws GevHandlerError; GevFrameTooLongError
 */
export function broadcast(
  state: ReactorState,
  options: ResolvedReactorOptions,
  data: GevData,
  receivers: GevReceivers | undefined,
): number {
  assertData(data);
  const bytes = encode(data, options);
  const picked = [...choose(state, receivers)];
  // Only now: a filter and an iterator may do anything, stopping the reactor included.
  const reached = picked.filter((connection) => connection.takesBroadcast(bytes.length));
  if (bytes.length > 0 && reached.length > 0) sendToAll(state.loops, bytes, reached);
  for (const connection of reached) connection.countBroadcast(bytes.length);
  return reached.length;
}

/** The bytes of a broadcast, framed where the codec frames. */
function encode(data: GevData, options: ResolvedReactorOptions): Uint8Array {
  if (options.codec.framing === 'raw') return typeof data === 'string' ? Buffer.from(data) : data;
  const text = typeof data === 'string' ? data : Buffer.from(data).toString();
  const length = Buffer.byteLength(text);
  if (length > longestFrame(options)) throw frameTooLong(length, options);
  return Buffer.from(`${text.length}#${text}`);
}

function choose(state: ReactorState, receivers: GevReceivers | undefined): Iterable<ReactorConnection> {
  const { open } = state;
  if (receivers === undefined) return open.values();
  if (typeof receivers === 'function') {
    return [...open.values()].filter((connection) => picks(state, connection, receivers));
  }
  assertIterable(receivers);
  const own: ReactorConnection[] = [];
  for (const given of new Set(receivers)) {
    const connection = open.get(given.id);
    if (connection === given) own.push(connection);
  }
  return own;
}

function picks(
  state: ReactorState,
  connection: ReactorConnection,
  filter: (connection: GevConnection) => boolean,
): boolean {
  if (connection.state !== 'open') return false;
  try {
    return filter(connection);
  } catch (error) {
    state.reportFailure('The filter of broadcast()', error, connection);
    return false;
  }
}

function assertIterable(receivers: object): void {
  if (Symbol.iterator in receivers) return;
  throw new GevHandlerError(
    'broadcast() takes what connections to send to, an array or another iterable of them, or a function that picks them; ' +
      'use send() for a single one',
  );
}

function sendToAll(
  loops: readonly ReactorLoop[],
  bytes: Uint8Array,
  connections: readonly ReactorConnection[],
): void {
  const receivers: number[][] = loops.map(() => []);
  for (const { loop, slot, generation } of connections) receivers[loop]!.push(slot, generation);
  for (const { index, outbound } of loops) {
    const each = receivers[index]!;
    if (bytes.length <= MAX_SHARED_PAYLOAD) outbound.multicast(bytes, each);
    else for (let i = 0; i < each.length; i += 2) outbound.send(each[i]!, each[i + 1]!, bytes, 0);
  }
}
