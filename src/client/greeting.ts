import type { Clock } from '../core/clock.js';

/** What a {@link Greeting} asks through, and whom it tells. */
export interface GreetingChannel {
  /** Asks what every server answers, if only with an error, and returns the id of the question. */
  ask(): number;
  onAnswer(): void;
  onSilent(): void;
}

/** How long the answer may take. */
const ANSWER_MS = 5_000;

/**
 * Finds out whether somebody is there to read what a new connection brings. That it was made does not say so: a server that
 * stops takes with it what its system has accepted and nobody has looked at.
 */
export class Greeting {
  private readonly question: number;
  private readonly cancelTimer: () => void;

  constructor(
    private readonly channel: GreetingChannel,
    clock: Clock,
  ) {
    this.cancelTimer = clock.after(ANSWER_MS, () => channel.onSilent());
    this.question = channel.ask();
  }

  /** A reply that belongs to no request in flight. True: it is the answer. */
  receive(id: number): boolean {
    if (id !== this.question) return false;
    this.stop();
    this.channel.onAnswer();
    return true;
  }

  stop(): void {
    this.cancelTimer();
  }
}
