import { onAbort } from '../../core/abort-listeners.js';
import { GevAbortedError, GevTimeoutError } from '../../core/client-errors.js';
import type { ProcessHold } from '../../core/process-hold.js';
import { isThenable } from '../../core/values.js';
import type { Deadlines } from '../../core/deadlines.js';
import type { GevMetadata, GevRecordOptions } from '../gev.record.js';
import type { Link } from '../pool/link.js';
import { Outgoing } from './outgoing.js';
import type { PacketText, PacketWriter } from './packet-writer.js';

/** What an {@link EventDispatch} needs. */
export interface EventDispatchSetup {
  /** How long an event may wait for a connection, in ms; 0: without end. */
  readonly requestTimeout: number;
  readonly deadlines: Deadlines<Outgoing>;
  /** Keeps the process alive until the event has gone. */
  readonly hold: ProcessHold;
  readonly writer: PacketWriter;
  metadataOf(outgoing: Outgoing): GevMetadata | undefined;
  /** A connection that is to end waits for nothing more. */
  onIdle(link: Link): void;
  /** Looks for a connection anew. To be called in its context. */
  assign(outgoing: Outgoing): void;
}

/** One event on its way. */
export class EventDispatch extends Outgoing {
  /** Sent, or given up. */
  settled = false;
  private release: (() => void) | undefined = undefined;

  /**
   * @param pattern as it goes on the wire
   * @param settle told once: without an error when the kernel has taken the event
   */
  constructor(
    private readonly setup: EventDispatchSetup,
    pattern: unknown,
    data: unknown,
    options: GevRecordOptions | undefined,
    private readonly settle: (error?: Error) => void,
  ) {
    super(pattern, data, options);
    setup.hold.up();
    setup.deadlines.add(this, this.timeout);
    if (options?.signal !== undefined) this.watch(options.signal);
  }

  override take(link: Link): void {
    if (this.settled) return;
    this.setup.deadlines.remove(this);
    try {
      const text = this.setup.writer.write(this.pattern, this.data, undefined, this.setup.metadataOf(this));
      if (!isThenable(text)) this.send(link, text);
      else
        text
          .then((ready) => this.sendLater(link, ready))
          .then(undefined, (error: unknown) => this.end(error));
    } catch (error) {
      this.end(error);
    }
  }

  override fail(error: unknown): void {
    this.setup.deadlines.remove(this);
    this.end(error);
  }

  override expire(): void {
    this.room?.leave(this);
    this.end(new GevTimeoutError(this.pattern, this.timeout, 'connection for'));
  }

  private get timeout(): number {
    return this.options?.timeout ?? this.setup.requestTimeout;
  }

  private sendLater(link: Link, text: PacketText): void {
    if (this.settled) return; // aborted while its packet was made
    if (link.usable) this.send(link, text);
    else this.sendElsewhere();
  }

  /** While its packet was made, the connection has closed, or was asked to. */
  private sendElsewhere(): void {
    this.setup.deadlines.add(this, this.timeout);
    this.runInAsyncScope(() => this.setup.assign(this));
  }

  /** Until it is sent, the signal withdraws it. */
  private watch(signal: AbortSignal): void {
    const abort = (): void => {
      this.room?.leave(this);
      this.fail(new GevAbortedError({ cause: signal.reason as unknown }));
    };
    if (signal.aborted) abort();
    else this.release = onAbort(signal, abort);
  }

  private send(link: Link, text: PacketText): void {
    this.release?.();
    this.release = undefined;
    link.connection.sendFrame(text, (error) => {
      link.events--;
      this.end(error);
      if (link.leaving && link.idle) this.setup.onIdle(link);
    });
    link.events++;
    link.used = true;
  }

  private end(error?: unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.release?.();
    this.setup.hold.down();
    this.runInAsyncScope(this.settle, undefined, error);
  }
}
