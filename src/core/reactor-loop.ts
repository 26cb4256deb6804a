import { constants } from 'node:os';
import type { Engine } from '../engine/engine.js';
import { inFreshScope } from '../engine/fresh-scope.js';
import type { InboundListener, Opening, RefusalNews } from '../engine/inbound-listener.js';
import { CLOSE_REASONS, type CloseReason } from './close-reason.js';
import type { ConnectionLoop, ReactorLimits } from './connection-loop.js';
import type { GevConnection } from './connection.js';
import { debug } from './debug.js';
import { escapeControls } from './error-log.js';
import { GevError } from './errors.js';
import type { Identities } from './identities.js';
import type { ResolvedReactorOptions } from './options.js';
import { ReactorConnection } from './reactor-connection.js';
import type { ReactorHandler } from './reactor-handler.js';
import type { RequestDeadlines } from './requests.js';
import type { ReactorListener } from './reactor-listener.js';
import { GevRefusedError } from './refused-error.js';
import { systemErrorName } from './system-error.js';
import { TracedHandler, TracedPort, traceOpen } from './trace.js';
import type { LoopPort } from '../engine/loop-port.js';

const NO_DESCRIPTORS =
  'Waiting clients were hung up on; it is tried again. Raise the limit of open files (ulimit -n) or set maxConnections';
const NO_MEMORY = 'The system is short of memory; it is tried again. Set maxConnections';
const ACCEPT_REMEDIES: Readonly<Record<string, string | undefined>> = {
  EMFILE: NO_DESCRIPTORS,
  ENFILE: NO_DESCRIPTORS,
  ENOBUFS: NO_MEMORY,
  ENOMEM: NO_MEMORY,
};

/** What a loop needs of its reactor. */
export interface ReactorLoopOwner {
  readonly handler: ReactorHandler;
  readonly open: Map<number, ReactorConnection>;
  /** Where connections come in; what is dialled is framed as at the first. */
  readonly listeners: readonly ReactorListener[];
  /** All connections are being closed; one that only comes to light now is, too. */
  readonly closing: boolean;
  /** A dial has connected. False: nobody waits for it any more. */
  onDialled(token: number, connection: ReactorConnection): boolean;
  onDialFailed(token: number, errno: number): void;
  onTimer(id: number, skipped: number): void;
  onConnectionClosed(): void;
  /** One that closed was given up for a budget of all. */
  onShed(reason: CloseReason): void;
  onRefusedSend(): void;
  onDroppedAnswer(connection: GevConnection<object>): void;
  readonly requestDeadlines: RequestDeadlines;
  readonly identities: Identities;
  /** Something worth a log line. Does not throw. */
  reportError(error: GevError): void;
  /** As {@link ReactorLoopOwner.reportError}, of what a function of the application threw. */
  reportFailure(culprit: string, error: unknown, connection?: GevConnection<object>): void;
}

/** One loop of an engine: turns its event stream into connections and calls of the handler. */
export class ReactorLoop implements InboundListener, ConnectionLoop {
  readonly outbound: LoopPort;
  readonly gated: boolean;
  readonly highWaterMark: number;
  readonly maxSendBuffer: number;
  readonly limits: ReactorLimits;
  readonly packetsAreRead: boolean;
  readonly identities: Identities;
  abandoned = false;
  private readonly slots: (ReactorConnection | undefined)[] = [];
  private readonly handler: ReactorHandler;
  private readonly traced = debug.enabled;
  private quiesced: (() => void) | undefined;
  private readsOn = false;

  constructor(
    readonly index: number,
    private readonly owner: ReactorLoopOwner,
    private readonly engine: Engine,
    options: ResolvedReactorOptions,
  ) {
    this.handler = this.traced ? new TracedHandler(owner.handler) : owner.handler;
    this.gated = options.gateConnections;
    this.highWaterMark = options.highWaterMark;
    this.maxSendBuffer = options.maxSendBuffer;
    this.limits = options;
    this.identities = owner.identities;
    this.packetsAreRead = owner.handler.readsPackets ?? false;
    const port = engine.attach(index, this);
    this.outbound = this.traced ? new TracedPort(port, (slot) => this.slots[slot]) : port;
  }

  bytesWritten(slot: number, generation: number): number {
    return this.engine.bytesWritten(this.index, slot, generation);
  }

  bytesReceived(slot: number, generation: number): number {
    return this.engine.bytesReceived(this.index, slot, generation);
  }

  get requestDeadlines(): RequestDeadlines {
    return this.owner.requestDeadlines;
  }

  countRefusedSend(): void {
    this.owner.onRefusedSend();
  }

  dropAnswer(connection: GevConnection<object>): void {
    this.owner.onDroppedAnswer(connection);
  }

  reportFailure(culprit: string, error: unknown, connection: GevConnection<object>): void {
    this.owner.reportFailure(culprit, error, connection);
  }

  /**
   * Resolves with the loop's word that everything the kernel held has been delivered.
   *
   * @param readsOn more is read from connections after it
   */
  onceQuiesced(readsOn: boolean): Promise<void> {
    this.readsOn = readsOn;
    return new Promise((resolve) => (this.quiesced = resolve));
  }

  onOpen(opening: Opening): void {
    const { slot, dial, listener } = opening;
    const connection = new ReactorConnection(this, this.owner.listeners[listener]!, opening);
    if (dial !== 0 && !this.owner.onDialled(dial, connection)) {
      connection.destroy(); // without a place in `slots` it is heard of no more
      return;
    }
    this.slots[slot] = connection;
    this.owner.open.set(connection.id, connection);
    if (this.traced) traceOpen(connection, dial);
    if (connection.framing.kind === 'custom') connection.openFraming();
    try {
      this.handler.onOpen(connection);
    } finally {
      if (connection.framing.kind === 'custom') connection.checkFraming();
      if (this.owner.closing) connection.closeFor('shutdown');
    }
  }

  onMessage(slot: number, generation: number, data: Buffer): void {
    const connection = this.slots[slot];
    if (!connection?.receives) return;
    const { framing } = connection;
    if (framing.encoding !== undefined) {
      this.onText(slot, generation, data.toString(framing.encoding), data.length, 0, 0, 0);
    } else if (framing.kind === 'custom') {
      connection.decode(data, (frame) => this.takeFrame(connection, frame));
    } else if (connection.handleMessage(data)) {
      this.handler.onMessage(connection, data);
    }
  }

  onText(
    slot: number,
    _generation: number,
    text: string,
    length: number,
    route: number,
    dataStart: number,
    idLength: number,
  ): void {
    const connection = this.slots[slot];
    if (connection?.receives && connection.handleText(text, length)) {
      this.handler.onText(connection, text, route, dataStart, idLength);
    }
  }

  onEnd(slot: number, _generation: number, badFrame: number): void {
    const connection = this.slots[slot];
    if (connection !== undefined) connection.badFrame = badFrame;
    // One that is not admitted yet may have come to its end, too.
    const { state } = connection ?? {};
    if (state !== 'open' && state !== 'connecting') return;
    connection!.handleEnd('peer');
    this.handler.onEnd(connection!);
  }

  onDrain(slot: number): void {
    this.slots[slot]?.handleDrain();
  }

  onFlushed(slot: number, _generation: number, bytesWritten: number): void {
    this.slots[slot]?.handleFlushed(bytesWritten);
  }

  onIdle(slot: number): void {
    this.slots[slot]?.handleIdle();
  }

  onClose(slot: number, _generation: number, reasonCode: number, errno: number, badFrame: number): void {
    const connection = this.slots[slot];
    if (connection === undefined) return;
    this.free(slot);
    const reason = CLOSE_REASONS[reasonCode] ?? 'error';
    if (errno === constants.errno.ENOBUFS) this.owner.onShed(reason);
    connection.badFrame = badFrame;
    this.finish(connection, reason, errno);
  }

  onDialFailed(token: number, errno: number): void {
    this.owner.onDialFailed(token, errno);
  }

  onTimer(id: number, skipped: number): void {
    this.owner.onTimer(id, skipped);
  }

  onQuiesced(): void {
    debug('loop %d: all that the kernel held is delivered', this.index);
    if (!this.readsOn) for (const connection of this.slots) connection?.handleEnd('shutdown');
    this.quiesced?.();
  }

  onFailure(failure: number, errno: number): void {
    const code = systemErrorName(errno);
    const message =
      failure === 0
        ? `Accepting connections failed: ${code}. ${ACCEPT_REMEDIES[code] ?? 'It is tried again'}`
        : `A connection could not be watched: ${code}`;
    this.owner.reportError(new GevError(code, message, { errno }));
  }

  /** Whoever connects and leaves, as checks whether a port is open do, is worth no line. */
  onRefused({ cause, count, remoteHost, detail }: RefusalNews): void {
    const error = new GevRefusedError(cause, count, remoteHost || undefined, escapeControls(detail));
    if (cause === 'handshakeClosed' && detail === '') debug('%s', error.message);
    else this.owner.reportError(error);
  }

  onUncaught(error: unknown): void {
    this.owner.reportFailure('A handler of the reactor', error);
  }

  /** The loop is gone: whoever has not heard so of its connection does now, and of anything else no more. */
  abandon(): void {
    this.abandoned = true;
    const connections = this.slots.splice(0);
    for (const connection of connections) connection?.handleLost();
    for (const connection of connections) {
      if (connection === undefined) continue;
      inFreshScope(() => this.finish(connection, 'shutdown', 0));
    }
    this.quiesced?.();
  }

  /** As the engines tell their frames: each in a context of its own, and what one throws does not cost those behind it. */
  private takeFrame(connection: ReactorConnection, frame: unknown): void {
    try {
      inFreshScope(() => this.handler.onMessage(connection, frame as Buffer));
    } catch (error) {
      this.owner.reportFailure('A handler of the reactor', error, connection);
    }
  }

  private finish(connection: ReactorConnection, reason: CloseReason, errno: number): void {
    this.owner.open.delete(connection.id);
    connection.handleClose(reason, errno);
    try {
      this.handler.onClose(connection);
    } catch (error) {
      this.owner.reportFailure('A handler of the reactor', error, connection);
    }
    this.owner.onConnectionClosed();
  }

  /** The list is as long as the highest slot in use asks for. */
  private free(slot: number): void {
    const { slots } = this;
    slots[slot] = undefined;
    while (slots.length > 0 && slots[slots.length - 1] === undefined) slots.pop();
  }
}
