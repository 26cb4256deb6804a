import type { Clock } from '../../core/clock.js';

/** What a {@link Greeting} asks through, and whom it tells. */
export interface GreetingChannel {
  /** Asks what every server answers, if only with an error, and returns the id of the question. */
  ask(): number;
  onAnswer(introduction: Introduction): void;
  onSilent(): void;
}

/** What a server says of itself. */
export interface Introduction {
  /** It wants to hear of requests that are given up. */
  readonly cancels: boolean;
  /** It stops: the connection is to end. */
  readonly leaving: boolean;
}

/**
 * The first question on a new connection. It tells the server that this client can be asked to go. Its answer says what the
 * server understands, and that somebody is there to read: a server that stops takes with it what its system has accepted
 * and nobody has looked at.
 */
export class Greeting {
  private readonly question: number;
  private readonly cancelTimer: (() => void) | undefined;

  /** @param timeout how long the answer may take, in ms; 0: without end */
  constructor(
    private readonly channel: GreetingChannel,
    timeout: number,
    clock: Clock,
  ) {
    this.cancelTimer = timeout === 0 ? undefined : clock.after(timeout, () => channel.onSilent());
    this.question = channel.ask();
  }

  /**
   * A reply that belongs to no request in flight.
   *
   * @param response undefined for an error
   * @returns whether it was the answer
   */
  receive(id: number, response: unknown): boolean {
    if (id !== this.question) return false;
    this.stop();
    const { cancel, leaving } = (response ?? {}) as { readonly cancel?: unknown; readonly leaving?: unknown };
    this.channel.onAnswer({ cancels: cancel === 1, leaving: leaving === true });
    return true;
  }

  stop(): void {
    this.cancelTimer?.();
  }
}
