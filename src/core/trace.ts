import { formatAddress } from './address.js';
import { type GevConnection, nameOf } from './connection.js';
import { debug } from './debug.js';
import { quote } from './error-log.js';
import type { GevError } from './errors.js';
import type { ReactorHandler, ReactorTurns } from './reactor-handler.js';
import type { FrameEnvelope } from '../engine/frame-envelope.js';
import { type FramePiece, type LoopPort, Operation } from '../engine/loop-port.js';

/** A connection is open. `dial`: the token of its dial; 0: it was accepted. */
export function traceOpen(connection: GevConnection, dial: number): void {
  const { localAddress, localPort, loop } = connection;
  const here = localAddress === undefined ? '' : ` at ${formatAddress(addressOf(localAddress, localPort))}`;
  debug('%s %s%s, loop %d', nameOf(connection), dial === 0 ? 'accepted' : `dialled (${dial})`, here, loop);
}

/** Says what a handler is told, and tells it. */
export class TracedHandler implements ReactorHandler {
  constructor(private readonly handler: ReactorHandler) {}

  get turns(): ReactorTurns | undefined {
    return this.handler.turns;
  }

  onOpen(connection: GevConnection): void {
    this.handler.onOpen(connection);
  }

  onMessage(connection: GevConnection, data: Buffer): void {
    debug('%s <- %d bytes', nameOf(connection), data.length);
    this.handler.onMessage(connection, data);
  }

  onText(connection: GevConnection, text: string, route: number, dataStart: number, idLength: number): void {
    debug('%s <- %s', nameOf(connection), describeFrame(text));
    this.handler.onText(connection, text, route, dataStart, idLength);
  }

  onEnd(connection: GevConnection): void {
    debug('%s: its peer has ended', nameOf(connection));
    this.handler.onEnd(connection);
  }

  onClose(connection: GevConnection): void {
    const { closeReason, closeError, bytesReceived, bytesSent, messagesReceived, messagesSent } = connection;
    const received = `${bytesReceived} bytes in ${messagesReceived} messages received`;
    const sent = `${bytesSent} bytes in ${messagesSent} sent`;
    const why = closeError === undefined ? closeReason : `${closeReason}: ${closeError.message}`;
    debug('%s closed (%s); %s, %s', nameOf(connection), why, received, sent);
    this.handler.onClose(connection);
  }

  onError(error: GevError): void {
    debug('error: %s', error.message);
    this.handler.onError(error);
  }
}

const OPERATION_NAMES = new Map<number, string>([
  [Operation.Close, 'closes'],
  [Operation.ShutdownWrite, 'says FIN'],
  [Operation.Abort, 'is cut'],
  [Operation.Pause, 'is not read from'],
  [Operation.Resume, 'is read from'],
  [Operation.ExpireIdle, 'has been idle for idleTimeout'],
  [Operation.RefuseInput, 'sent what is no message'],
]);

/** Says what a loop is told, and tells it. */
export class TracedPort implements LoopPort {
  /** @param connectionAt whose slot of the loop that is */
  constructor(
    private readonly port: LoopPort,
    private readonly connectionAt: (slot: number) => GevConnection | undefined,
  ) {}

  send(slot: number, generation: number, data: Uint8Array, flags: number): void {
    if (data.length > 0) this.say(slot, `-> ${data.length} bytes`);
    this.port.send(slot, generation, data, flags);
  }

  sendText(slot: number, generation: number, text: string, length: number, flags: number): void {
    this.say(slot, `-> ${length} bytes`);
    this.port.sendText(slot, generation, text, length, flags);
  }

  sendFrame(slot: number, generation: number, pieces: readonly FramePiece[], flags: number): number {
    const sent = this.port.sendFrame(slot, generation, pieces, flags);
    const what = describeFrame(pieces.join(''));
    this.say(slot, sent < 0 ? `is not sent, for it is too long: ${what}` : `-> ${what}`);
    return sent;
  }

  sendEnclosed(
    slot: number,
    generation: number,
    envelope: FrameEnvelope,
    data: Uint8Array | string,
    flags: number,
  ): number {
    const sent = this.port.sendEnclosed(slot, generation, envelope, data, flags);
    this.say(
      slot,
      sent > 0 ? `-> a frame of ${sent} bytes` : `is not sent a frame of ${-sent} bytes: no such length`,
    );
    return sent;
  }

  multicast(data: Uint8Array, receivers: readonly number[]): void {
    if (receivers.length > 0)
      debug('broadcast -> %d bytes to %d connections', data.length, receivers.length / 2);
    this.port.multicast(data, receivers);
  }

  command(operation: number, slot = 0, generation = 0, argument = 0): void {
    const name = OPERATION_NAMES.get(operation);
    if (name !== undefined) this.say(slot, name);
    this.port.command(operation, slot, generation, argument);
  }

  leave(slot: number, generation: number, ms: number, reason: number): void {
    this.say(slot, `is to end when nothing is owed to it${ms > 0 ? `, or after ${ms} ms of silence` : ''}`);
    this.port.leave(slot, generation, ms, reason);
  }

  startTimer(id: number, delay: number, interval: number): void {
    debug('timer %d: in %d ms%s', id, delay, interval > 0 ? `, then every ${interval} ms` : '');
    this.port.startTimer(id, delay, interval);
  }

  dial(token: number, timeout: number, port: number, address: string, servername?: string): void {
    const where = port < 0 ? address : formatAddress({ address, port });
    debug('dial %d: %s, for %s', token, where, timeout > 0 ? `${timeout} ms at most` : 'as long as it takes');
    this.port.dial(token, timeout, port, address, servername);
  }

  setIdleTimeout(slot: number, generation: number, ms: number): void {
    this.port.setIdleTimeout(slot, generation, ms);
  }

  private say(slot: number, what: string): void {
    const connection = this.connectionAt(slot);
    debug('%s %s', connection === undefined ? `slot ${slot}` : nameOf(connection), what);
  }
}

/** The size of a frame's content, and whose request, event or reply it is. Not the data: it may be confidential. */
function describeFrame(text: string): string {
  const size = `${Buffer.byteLength(text)} bytes`;
  let packet: { readonly [key in 'pattern' | 'id' | 'err' | 'isDisposed']?: unknown } | null;
  try {
    packet = JSON.parse(text) as typeof packet;
  } catch {
    return `${size}, no JSON`;
  }
  if (typeof packet !== 'object' || packet === null) return size;
  const { pattern, id, err, isDisposed } = packet;
  const name = id === undefined ? '' : ` ${show(id)}`;
  if (pattern !== undefined)
    return `${size}: ${id === undefined ? 'event' : 'request'}${name} ${show(pattern)}`;
  const kind = err !== undefined ? 'error' : isDisposed === true ? 'reply' : 'value';
  return id === undefined ? size : `${size}: ${kind}${name}`;
}

function show(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  try {
    return cut(JSON.stringify(value));
  } catch {
    return 'too deep to be shown'; // for the engine: whoever sends such a thing is not to stop the message
  }
}

function cut(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

function addressOf(
  address: string,
  port: number | undefined,
): { address: string; port: number } | { path: string } {
  return port === undefined ? { path: address } : { address, port };
}
