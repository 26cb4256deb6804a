import type { Reactor } from '../../core/reactor.js';

/** What a client uses of its reactor. */
export type ClientReactor = Pick<Reactor, 'start' | 'connect' | 'finish' | 'closeAll' | 'stop' | 'unref'>;

/** The reactor of a client, made and started when it is needed first. */
export class ReactorOnDemand {
  private starting: Promise<ClientReactor> | undefined;
  private started: ClientReactor | undefined;

  constructor(private readonly create: () => ClientReactor) {}

  /** Undefined before it has started. */
  get running(): ClientReactor | undefined {
    return this.started;
  }

  /** Rejects with what its start has failed with; the next call tries again. */
  start(): Promise<ClientReactor> {
    return (this.starting ??= this.begin());
  }

  /** What {@link start} has begun; undefined: nothing. */
  get begun(): Promise<ClientReactor> | undefined {
    return this.starting;
  }

  /** The next {@link start} makes another. */
  forget(): void {
    this.starting = this.started = undefined;
  }

  private async begin(): Promise<ClientReactor> {
    const reactor = this.create();
    reactor.unref(); // what is under way keeps the process, not that there are connections
    try {
      await reactor.start();
    } catch (error) {
      this.starting = undefined;
      throw error;
    }
    this.started = reactor;
    return reactor;
  }
}
