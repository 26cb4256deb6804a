import { EventEmitter } from 'node:events';
import { bindCallback, type FailureReport } from './callback.js';

type Listener = (...args: never[]) => unknown;
type Bound = ((...args: unknown[]) => void) & { listener?: Listener };

/**
 * The listeners of an object's events. Each is called in the async context in which it was added, and what it throws, or
 * rejects with, is reported: the others are called all the same.
 */
export class Listeners<Events extends Record<string, Listener>> {
  private readonly emitter = new EventEmitter();

  /** @param owner whose events they are, in a log line */
  constructor(
    private readonly owner: string,
    private readonly report: FailureReport,
  ) {}

  on<Event extends keyof Events & string>(event: Event, listener: Events[Event]): void {
    this.emitter.on(event, this.bind(event, listener));
  }

  /** For the next time only. */
  once<Event extends keyof Events & string>(event: Event, listener: Events[Event]): void {
    const bound = this.bind(event, listener);
    const once: Bound = (...args) => {
      this.emitter.off(event, once);
      bound(...args);
    };
    once.listener = listener;
    this.emitter.on(event, once);
  }

  off<Event extends keyof Events & string>(event: Event, listener: Events[Event]): void {
    this.emitter.off(event, listener as unknown as Bound);
  }

  /** Takes away all listeners of an event, or of every event. */
  removeAll(event?: keyof Events & string): void {
    if (event === undefined) this.emitter.removeAllListeners();
    else this.emitter.removeAllListeners(event);
  }

  count(event: keyof Events & string): number {
    return this.emitter.listenerCount(event);
  }

  /** An event without a listener is nobody's business, one named "error" included. */
  emit<Event extends keyof Events & string>(event: Event, ...args: Parameters<Events[Event]>): void {
    if (this.emitter.listenerCount(event) > 0) this.emitter.emit(event, ...args);
  }

  /** `listener` is what an EventEmitter compares, too, when one is to be taken away. */
  private bind(event: string, listener: Listener): Bound {
    const culprit = `A listener of the ${this.owner}'s "${event}" event`;
    const bound: Bound = bindCallback(listener as unknown as Bound, culprit, this.report);
    bound.listener = listener;
    return bound;
  }
}
