/** What a {@link Cancellation} has sent. */
export interface CancellationChannel {
  /** Sends the question and returns its id. */
  ask(): number;
  /** Sends word that nobody waits for the replies to this request any more. */
  tell(id: number): void;
}

/** Requests remembered while the question is open; a server that does not answer must not cost memory without end. */
const MAX_HELD = 1024;

/**
 * Tells the server of one connection which replies nobody waits for any more, if it can be told. Nest's own server would
 * log an event it does not know as an error, so it is asked first, by a request, which it refuses without a word in its
 * log. And it is asked with the first request that is given up: until then there is nothing extra on the wire.
 */
export class Cancellation {
  private state: 'new' | 'asked' | 'supported' | 'unsupported' = 'new';
  private question = 0;
  private readonly held = new Set<number>();
  private told: (() => void)[] = [];

  constructor(private readonly channel: CancellationChannel) {}

  /** Nobody waits for the replies to this request any more. */
  cancel(id: number): void {
    if (this.state === 'supported') {
      this.channel.tell(id);
      return;
    }
    if (this.state === 'unsupported') return;
    if (this.held.size < MAX_HELD) this.held.add(id);
    if (this.state === 'asked') return;
    this.state = 'asked';
    this.question = this.channel.ask();
  }

  /** Resolves when all that was given up has been told, or the server cannot be told; undefined: it has, or cannot. */
  settled(): Promise<void> | undefined {
    return this.state === 'asked' ? new Promise((resolve) => this.told.push(resolve)) : undefined;
  }

  /**
   * A reply that belongs to no request in flight.
   *
   * @param response undefined for an error
   * @param last no further reply to this request comes
   * @returns whether it was the answer to the question
   */
  receive(id: number, response: unknown, last: boolean): boolean {
    if (this.state !== 'asked') return false;
    if (id !== this.question) {
      // The server is done with it before it could be told.
      if (last) this.held.delete(id);
      return false;
    }
    const answer = response as { readonly cancel?: unknown } | null | undefined;
    this.state = answer?.cancel === 1 ? 'supported' : 'unsupported';
    if (this.state === 'supported') for (const id of this.held) this.channel.tell(id);
    this.held.clear();
    for (const told of this.told.splice(0)) told();
    return true;
  }
}
