import type { GevConnection, GevReceivers } from './connection.js';
import { asText, assertData, type GevData } from './data.js';
import { GevHandlerError } from './errors.js';
import type { ConnectionFraming } from './connection-framing.js';
import { cannotEnclose, frameTooLong } from './frame-limits.js';
import type { ReactorConnection } from './reactor-connection.js';
import type { ReactorLoop } from './reactor-loop.js';
import type { ReactorState } from './reactor-state.js';
import { isData } from './values.js';
import { MAX_SHARED_PAYLOAD } from '../engine/loop-port.js';

/**
 * As {@link Reactor.broadcast}.
 *
 * @throws GevHandlerError; GevFrameTooLongError
 */
export function broadcast(state: ReactorState, data: GevData, receivers: GevReceivers | undefined): number {
  const payloads = encodeAll(state, data);
  let count = 0;
  // Only now: a filter and an iterator may do anything, stopping the reactor included.
  const groups = byFraming([...choose(state, receivers)]);
  for (const framing of groups.keys()) if (framing.kind !== 'custom') assertData(data);
  for (const [framing, members] of groups) {
    count +=
      framing.kind === 'custom'
        ? sendToEach(state, members, data)
        : share(state, payloads.get(framing)!, members);
  }
  return count;
}

/** Connections that are framed alike get the same bytes. */
function byFraming(connections: readonly ReactorConnection[]): Map<ConnectionFraming, ReactorConnection[]> {
  const groups = new Map<ConnectionFraming, ReactorConnection[]>();
  for (const connection of connections) {
    const group = groups.get(connection.framing);
    if (group === undefined) groups.set(connection.framing, [connection]);
    else group.push(connection);
  }
  return groups;
}

function share(state: ReactorState, bytes: Uint8Array, members: readonly ReactorConnection[]): number {
  const reached = members.filter((connection) => connection.takesBroadcast(bytes.length));
  if (bytes.length > 0 && reached.length > 0) sendToAll(state.loops, bytes, reached);
  for (const connection of reached) connection.countBroadcast(bytes.length);
  return reached.length;
}

/** The application frames for each connection by itself. */
function sendToEach(state: ReactorState, members: readonly ReactorConnection[], data: GevData): number {
  let count = 0;
  for (const connection of members) {
    if (!connection.takesBroadcast(0)) continue;
    try {
      connection.transmit(data, () => undefined);
      count++;
    } catch (error) {
      state.reportFailure('encode() of a custom framing', error, connection);
    }
  }
  return count;
}

/** What goes out by each framing, but for those of the application; nothing where only they might take it. */
function encodeAll({ listeners }: ReactorState, data: GevData): Map<ConnectionFraming, Uint8Array> {
  const payloads = new Map<ConnectionFraming, Uint8Array>();
  if (!isData(data)) {
    if (!listeners.some(({ framing }) => framing.kind === 'custom')) assertData(data);
    return payloads;
  }
  for (const { framing } of listeners) {
    if (framing.kind !== 'custom') payloads.set(framing, encode(data, framing));
  }
  return payloads;
}

/** The bytes of a broadcast, framed where the codec frames. */
function encode(data: GevData, framing: ConnectionFraming): Uint8Array {
  const { isNestTcp, envelope, encoder, encoding, longest, limits } = framing;
  if (encoder !== undefined) return bytesOf(encoder.encode(data));
  if (envelope !== undefined) {
    const content = bytesOf(data, encoding);
    const { length } = content;
    const { minContent, maxContent } = envelope;
    if (length > longest || length < minContent || length > maxContent)
      throw cannotEnclose(length, envelope, framing);
    return envelope.wrap(content);
  }
  if (!isNestTcp) return bytesOf(data);
  const text = asText(data);
  const length = Buffer.byteLength(text);
  if (length > longest) throw frameTooLong(length, limits);
  return Buffer.from(`${text.length}#${text}`);
}

function bytesOf(data: GevData, encoding?: BufferEncoding): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data, encoding) : data;
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
