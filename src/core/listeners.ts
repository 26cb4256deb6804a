import { EventEmitter } from 'node:events';
import { bindCallback, type FailureReport } from './callback.js';
import { meant } from './option-checks.js';

type Listener = (...args: never[]) => unknown;
type Bound = ((...args: unknown[]) => void) & { listener?: Listener };

/**
 * The listeners of an object's events. Each is called in the async context in which it was added, and what it throws, or
 * rejects with, is reported: the others are called all the same.
 */
export class Listeners<Events extends Record<string, Listener>> {
  private readonly emitter = new EventEmitter();
  /** Events that somebody listens to and that there are not. */
  private readonly unknown = new Set<string>();

  /**
   * @param owner whose events they are, in a log line
   * @param events their names
   * @param warn told once of each event that somebody listens to and that there is not
   */
  constructor(
    private readonly owner: string,
    private readonly events: Readonly<Record<keyof Events, true>>,
    private readonly report: FailureReport,
    private readonly warn: (message: string) => void,
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
    if (!Object.hasOwn(this.events, event)) this.refuse(event);
    const culprit = `A listener of the ${this.owner}'s "${event}" event`;
    const bound: Bound = bindCallback(listener as unknown as Bound, culprit, this.report);
    bound.listener = listener;
    return bound;
  }

  private refuse(event: string): void {
    if (this.unknown.has(event)) return;
    this.unknown.add(event);
    this.warn(`A ${this.owner} has no event "${event}"${meant(event, Object.keys(this.events), 'events')}`);
  }
}
