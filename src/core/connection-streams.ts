import type { Observable, Subscriber, Subscription } from 'rxjs';
import type { FailureReport } from './callback.js';
import type { CloseReason } from './close-reason.js';
import type { GevData } from './data.js';
import { ContainedObservable, EventSource } from './contained-observable.js';

/** The Observables of one connection, each made when it is asked for. */
export class ConnectionStreams {
  /** Somebody wants what is received. */
  messages: EventSource<GevData> | undefined = undefined;
  private drains: EventSource<void> | undefined = undefined;
  private ends: EventSource<CloseReason> | undefined = undefined;

  /** @param reason why the connection has closed already */
  constructor(
    private readonly report: FailureReport,
    private reason: CloseReason | undefined,
  ) {}

  get messages$(): Observable<GevData> {
    return (this.messages ??= this.open<GevData>('messages$')).observable;
  }

  get drain$(): Observable<void> {
    return (this.drains ??= this.open<void>('drain$')).observable;
  }

  get closed$(): Observable<CloseReason> {
    const subscribe = (subscriber: Subscriber<CloseReason>): Subscription | undefined => {
      const { reason } = this;
      if (reason === undefined) {
        return (this.ends ??= this.open<CloseReason>('closed$')).observable.subscribe(subscriber);
      }
      subscriber.next(reason);
      subscriber.complete();
      return undefined;
    };
    return new ContainedObservable(subscribe, 'A subscriber of closed$', this.report, false);
  }

  /** Output is down to the low-water mark. */
  drain(): void {
    this.drains?.next();
  }

  /** The connection has closed. */
  close(reason: CloseReason): void {
    this.reason = reason;
    this.messages?.complete();
    this.drains?.complete();
    this.ends?.next(reason);
    this.ends?.complete();
  }

  private open<T>(name: string): EventSource<T> {
    const source = new EventSource<T>(`A subscriber of ${name}`, this.report);
    if (this.reason !== undefined) source.complete();
    return source;
  }
}
