import { Registrar } from './callback.js';
import { debug } from './debug.js';
import { promiseOf } from './values.js';
import { type LoopPort, MAX_TIMER_ID, Operation } from '../engine/loop-port.js';

/** A running timer of a {@link Reactor}. */
export interface ReactorTimerHandle {
  /** Ticks left out because the run before was still going. */
  readonly skipped: number;
  readonly runs: number;
  readonly active: boolean;
  cancel(): void;
}

/** @internal Timers on a loop's native wheel. The loop sends no tick before the one before it is reported done. */
export class ReactorTimers {
  private readonly timers = new Map<number, NativeTimer>();
  private lastId = 0;

  constructor(
    private readonly outbound: LoopPort,
    private readonly onError: (error: unknown) => void,
  ) {}

  start(delay: number, interval: number, overlap: boolean, fn: () => unknown): ReactorTimerHandle {
    const id = this.nextId();
    const timer = new NativeTimer(fn, interval > 0, overlap, () => {
      if (!this.timers.delete(id)) return;
      debug('timer %d is cancelled', id);
      this.outbound.command(Operation.TimerCancel, id);
    });
    this.timers.set(id, timer);
    this.outbound.startTimer(id, delay, interval);
    return timer;
  }

  onTick(id: number, skipped: number): void {
    const timer = this.timers.get(id);
    if (timer === undefined) return; // cancelled while the tick was on its way
    if (!timer.repeats) this.timers.delete(id);
    debug('timer %d runs, %d ticks were skipped', id, skipped);
    timer.tick(skipped, this.onError, () => {
      if (this.timers.has(id)) this.outbound.command(Operation.TimerDone, id);
    });
  }

  stop(): void {
    for (const timer of [...this.timers.values()]) timer.end();
    this.timers.clear();
  }

  /** All others come before one that was in use: a tick that is still on its way finds nobody. */
  private nextId(): number {
    do {
      this.lastId = (this.lastId % MAX_TIMER_ID) + 1;
    } while (this.timers.has(this.lastId));
    return this.lastId;
  }
}

/** Runs its function in the async context in which it was made. */
class NativeTimer implements ReactorTimerHandle {
  runs = 0;
  skipped = 0;
  active = true;
  private readonly registrar = new Registrar();

  constructor(
    private readonly fn: () => unknown,
    readonly repeats: boolean,
    private readonly overlap: boolean,
    private readonly onCancel: () => void,
  ) {}

  cancel(): void {
    this.end();
    this.onCancel();
  }

  end(): void {
    this.active = false;
  }

  tick(skipped: number, onError: (error: unknown) => void, done: () => void): void {
    this.skipped += skipped;
    this.runs++;
    if (!this.repeats) this.active = false;
    let promise: Promise<unknown> | undefined;
    try {
      promise = promiseOf(this.registrar.call(this.fn));
    } catch (error) {
      onError(error);
    }
    if (promise === undefined) {
      done();
      return;
    }
    if (this.overlap) done();
    promise.then(this.overlap ? undefined : done, (error: unknown) => {
      onError(error);
      if (!this.overlap) done();
    });
  }
}
