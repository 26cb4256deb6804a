import { Observable, type Observer, type Operator, Subject, Subscriber, type Subscription } from 'rxjs';
import type { TeardownLogic } from 'rxjs';
import { type FailureReport, Registrar } from './callback.js';

/**
 * An Observable that we hand to the application. What a subscriber's function throws is reported; RxJS would throw it in a
 * timer, which ends the process. Observables that operators make of it are of this class, too.
 */
export class ContainedObservable<T> extends Observable<T> {
  /**
   * @param culprit a subscriber, in a log line
   * @param fails whether there are errors of its own: those that nobody handles are thrown, as by any Observable. Else
   * they can only come of an operator, and are reported
   */
  constructor(
    subscribe: ((subscriber: Subscriber<T>) => TeardownLogic) | undefined,
    readonly culprit: string,
    readonly report: FailureReport,
    readonly fails: boolean,
  ) {
    super(subscribe);
  }

  /** By RxJS, for each operator of a pipe(). */
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const { culprit, report, fails } = containedOf(this);
    const derived = new ContainedObservable<R>(undefined, culprit, report, fails);
    derived.source = this;
    derived.operator = operator;
    return derived;
  }

  override subscribe(
    observerOrNext?: Partial<Observer<T>> | ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // That is an operator: what it throws becomes an error further down.
    if (observerOrNext instanceof Subscriber) return super.subscribe(observerOrNext);
    const observer =
      typeof observerOrNext === 'object' && observerOrNext !== null
        ? observerOrNext
        : callbacks(observerOrNext, error, complete);
    return super.subscribe(new ContainedObserver(observer, this.culprit, this.report, this.fails));
  }
}

/**
 * An Observable of values that never fails, for the application: each subscriber, with the operators before it, runs in
 * the async context in which it subscribed, and what it throws is reported.
 */
export function boundObservable<T>(
  source: Observable<T>,
  culprit: string,
  report: FailureReport,
): Observable<T> {
  const subscribe = (subscriber: Subscriber<T>): Subscription =>
    source.subscribe(new BoundObserver(subscriber));
  return new ContainedObservable(subscribe, culprit, report, false);
}

/** A source of events for the application, as a {@link boundObservable}. */
export class EventSource<T> {
  readonly observable: Observable<T>;
  private readonly subject = new Subject<T>();

  constructor(culprit: string, report: FailureReport) {
    this.observable = boundObservable(this.subject, culprit, report);
  }

  next(value: T): void {
    this.subject.next(value);
  }

  /** For those who subscribe later, too. */
  complete(): void {
    this.subject.complete();
  }
}

/** RxJS gives a ConnectableObservable, which has none of our fields, the `lift` of its source. */
function containedOf(observable: Observable<unknown>): ContainedObservable<unknown> {
  return observable instanceof ContainedObservable ? observable : containedOf(observable.source!);
}

class ContainedObserver<T> implements Observer<T> {
  constructor(
    private readonly observer: Partial<Observer<T>>,
    private readonly culprit: string,
    private readonly report: FailureReport,
    private readonly fails: boolean,
  ) {}

  next(value: T): void {
    try {
      this.observer.next?.(value);
    } catch (error) {
      this.report(this.culprit, error);
    }
  }

  error(error: unknown): void {
    const { observer } = this;
    const handled = typeof observer.error === 'function'; // RxJS takes null for none, too
    if (!handled && this.fails) throw error; // RxJS makes an unhandled error of it
    try {
      if (!handled) throw error;
      observer.error!(error);
    } catch (thrown) {
      this.report(this.culprit, thrown);
    }
  }

  complete(): void {
    try {
      this.observer.complete?.();
    } catch (error) {
      this.report(this.culprit, error);
    }
  }
}

/** Runs a subscriber in the async context in which this was made. */
class BoundObserver<T> implements Observer<T> {
  private readonly registrar = new Registrar();

  constructor(private readonly subscriber: Subscriber<T>) {}

  next(value: T): void {
    this.registrar.call(() => this.subscriber.next(value));
  }

  error(error: unknown): void {
    this.registrar.call(() => this.subscriber.error(error));
  }

  complete(): void {
    this.registrar.call(() => this.subscriber.complete());
  }
}

function callbacks<T>(
  next: ((value: T) => void) | null | undefined,
  error: ((error: unknown) => void) | null | undefined,
  complete: (() => void) | null | undefined,
): Partial<Observer<T>> {
  return { ...(next && { next }), ...(error && { error }), ...(complete && { complete }) };
}
