import type { Subscription } from 'rxjs';
import type { ReactorConnection } from '../../core/reactor-connection.js';
import type { GevOverflow } from '../../core/options.js';

/** What to do with values while the peer does not keep up. */
export interface OverflowPolicy {
  readonly overflow: GevOverflow;
  /** Values kept by `drop-oldest`. */
  readonly overflowLimit: number;
  /** Told of values that were dropped. */
  readonly onDropped: (count: number) => void;
}

/** Lets the values of one Observable out to its connection, or keeps or drops them while its output is congested. */
export class OverflowGate {
  private readonly kept: unknown[] = [];
  private drain: Subscription | undefined;

  constructor(
    private readonly connection: ReactorConnection,
    private readonly policy: OverflowPolicy,
    private readonly send: (value: unknown) => void,
  ) {}

  push(value: unknown): void {
    const { overflow, overflowLimit } = this.policy;
    if (overflow === 'buffer' || (!this.connection.congested && this.kept.length === 0)) this.send(value);
    else if (overflow === 'close') this.connection.failBackpressure();
    else if (overflow === 'drop-newest') this.policy.onDropped(1);
    else this.keep(value, overflow === 'latest' ? 1 : overflowLimit);
  }

  /** The stream has ended: what was kept goes out before the end does. */
  release(): void {
    this.close();
    for (const value of this.kept.splice(0)) this.send(value);
  }

  /** Nobody is left to send to. */
  close(): void {
    this.drain?.unsubscribe();
    this.drain = undefined;
  }

  private keep(value: unknown, limit: number): void {
    this.kept.push(value);
    if (this.kept.length > limit) {
      this.kept.shift();
      this.policy.onDropped(1);
    }
    this.drain ??= this.connection.drain$.subscribe(() => this.onDrain());
  }

  private onDrain(): void {
    while (this.kept.length > 0 && !this.connection.congested) this.send(this.kept.shift());
    if (this.kept.length === 0) this.close();
  }
}
