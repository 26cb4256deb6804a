import type { Clock } from '../../core/clock.js';

/** What a {@link Probe} knows its connection by. */
export interface ProbeChannel {
  /** Bytes received so far. */
  received(): number;
  /** Asks what every server answers, if only with an error, and returns the id of the question. */
  ask(): number;
  /** Nothing was received in all the time. */
  onSilent(): void;
}

/** Requests that time out while nothing is received, after which the server is asked. */
const SILENT_TIMEOUTS = 2;
/** How long the answer may take. */
const ANSWER_MS = 5_000;

/**
 * Finds out whether a connection on which requests time out is dead. A slow handler is none of its business: whatever is
 * received shows that the server is there.
 */
export class Probe {
  private timeouts = 0; // since anything was received
  private received = -1;
  private question = 0; // 0: none is open
  private cancelTimer: (() => void) | undefined;

  constructor(
    private readonly channel: ProbeChannel,
    private readonly clock: Clock,
  ) {}

  /** The server was asked, and nothing has come since. */
  get pending(): boolean {
    return this.question !== 0 && this.channel.received() === this.received;
  }

  /** A request has timed out. */
  timedOut(): void {
    if (this.question !== 0) return;
    const received = this.channel.received();
    this.timeouts = received === this.received ? this.timeouts + 1 : 1;
    this.received = received;
    if (this.timeouts < SILENT_TIMEOUTS) return;
    this.cancelTimer = this.clock.after(ANSWER_MS, () => this.conclude());
    this.question = this.channel.ask();
  }

  /** A reply that belongs to no request in flight. True: it is the answer. */
  receive(id: number): boolean {
    if (id !== this.question) return false;
    this.stop();
    return true;
  }

  stop(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.question = this.timeouts = 0;
  }

  private conclude(): void {
    const silent = this.pending;
    this.stop();
    if (silent) this.channel.onSilent();
  }
}
