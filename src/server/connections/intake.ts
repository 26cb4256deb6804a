import type { ReactorConnection } from '../../core/reactor-connection.js';
import type { Reactor } from '../../core/reactor.js';

/** Messages that may join full queues while an answer is awaited. */
const MAX_MESSAGES = 8_192;

/**
 * Whether a connection is read from whose queues are full, or from which nothing more is wanted.
 *
 * A handler that has asked the peer may be the one that all in a queue wait for, and its answer stands behind what was not read yet. So
 * reading goes on while an answer is awaited, until as many bytes have come as a queue holds anyway, or {@link MAX_MESSAGES}.
 */
export class Intake {
  /** Queues that are. */
  private full = 0;
  private stopped = false;
  private paused = false;
  /** Received when the first of them was. */
  private bytes = 0;
  private messages = 0;

  /** @param maxBytes that may join full queues */
  constructor(
    private readonly connection: ReactorConnection,
    private readonly reactor: Pick<Reactor, 'pause' | 'resume'>,
    private readonly maxBytes: number,
  ) {}

  /** A queue is full. */
  fill(): void {
    const { connection } = this;
    if (this.full++ === 0) {
      this.bytes = connection.bytesReceived;
      this.messages = connection.messagesReceived;
      connection.onAsking = () => this.update();
    }
    this.update();
  }

  /** A queue has room again. */
  drain(): void {
    if (--this.full === 0) this.connection.onAsking = undefined;
    this.update();
  }

  /** Nothing more is wanted. */
  stop(): void {
    this.stopped = true;
    this.update();
  }

  /** To be called with what joins a full queue, too. */
  update(): void {
    const pause = this.stopped || (this.full > 0 && !this.goesOn);
    if (pause === this.paused) return;
    this.paused = pause;
    if (pause) this.reactor.pause(this.connection);
    else this.reactor.resume(this.connection);
  }

  private get goesOn(): boolean {
    const { asking, bytesReceived, messagesReceived } = this.connection;
    return (
      asking &&
      bytesReceived - this.bytes <= this.maxBytes &&
      messagesReceived - this.messages <= MAX_MESSAGES
    );
  }
}
