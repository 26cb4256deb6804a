import { onAbort } from '../core/abort-listeners.js';
import { Registrar } from '../core/callback.js';
import { GevTimerError } from '../core/errors.js';
import { refuseUnknown, show } from '../core/option-checks.js';
import { debug } from '../core/debug.js';
import type { Reactor, ReactorTimerHandle } from '../core/reactor.js';
import {
  assertInterval,
  type EndingTimer,
  type GevIntervalOptions,
  type GevTimer,
  type GevTimerOptions,
} from '../core/timer.js';
import { promiseOf } from '../core/values.js';

type TimerSource = Pick<Reactor, 'runEvery' | 'runAfter'>;

/**
 * The timers of one server. They outlive no reactor: set before listen they begin at listen, and the server's end
 * cancels them.
 */
export class ServerTimers {
  private readonly timers = new Set<ServerTimer>();
  private source: TimerSource | undefined;

  /** @param report told what a timer's function threw or rejected with */
  constructor(private readonly report: (name: string, error: unknown) => void) {}

  runEvery(ms: number, fn: () => unknown, options: GevIntervalOptions = {}): GevTimer {
    assertInterval(ms, 'The interval of runEvery()');
    assertTimer('runEvery', fn, options, ['name', 'signal', 'overlap']);
    return this.add(fn, options, (source, run) =>
      source.runEvery(ms, run, { overlap: options.overlap ?? false }),
    );
  }

  runAfter(ms: number, fn: () => unknown, options: GevTimerOptions = {}): GevTimer {
    assertInterval(ms, 'The delay of runAfter()');
    assertTimer('runAfter', fn, options, ['name', 'signal']);
    return this.add(fn, options, (source, run) => source.runAfter(ms, run));
  }

  /** The server listens: begins what was set before. */
  start(source: TimerSource): void {
    this.source = source;
    for (const timer of this.timers) timer.start(source);
  }

  /** The server ends: no timer runs any more. */
  stop(): void {
    this.source = undefined;
    for (const timer of [...this.timers]) timer.cancel();
  }

  private add(fn: () => unknown, options: GevTimerOptions, begin: Begin): GevTimer {
    const timer = new ServerTimer(fn, options, begin, {
      report: this.report,
      ended: (ended) => this.timers.delete(ended),
    });
    if (!timer.active) return timer;
    this.timers.add(timer);
    if (this.source !== undefined) timer.start(this.source);
    return timer;
  }
}

function assertTimer(method: string, fn: unknown, options: object, known: readonly string[]): void {
  if (typeof fn !== 'function') throw new GevTimerError(`${method}() needs a function, not ${show(fn)}`);
  refuseUnknown(options, known, { owner: `${method}()` });
}

type Begin = (source: TimerSource, run: () => unknown) => ReactorTimerHandle;

interface TimerOwner {
  report(name: string, error: unknown): void;
  ended(timer: ServerTimer): void;
}

/** Runs its function in the async context in which it was set, which may be long before it starts. */
class ServerTimer implements EndingTimer {
  private handle: ReactorTimerHandle | undefined;
  private cancelled = false;
  private readonly registrar = new Registrar();
  private stopListening: (() => void) | undefined;
  private readonly told: (() => void)[] = [];

  constructor(
    private readonly fn: () => unknown,
    private readonly options: GevTimerOptions,
    private readonly begin: Begin,
    private readonly owner: TimerOwner,
  ) {
    const { signal } = options;
    if (signal?.aborted) this.cancelled = true;
    else if (signal !== undefined) this.stopListening = onAbort(signal, this.cancel);
  }

  get runs(): number {
    return this.handle?.runs ?? 0;
  }

  get skipped(): number {
    return this.handle?.skipped ?? 0;
  }

  get active(): boolean {
    return !this.cancelled && (this.handle?.active ?? true);
  }

  start(source: TimerSource): void {
    if (this.handle === undefined) debug('timer "%s" begins:', this.name);
    this.handle ??= this.begin(source, this.run);
  }

  readonly cancel = (): void => {
    if (this.cancelled) return;
    this.cancelled = true;
    this.handle?.cancel();
    this.leave();
  };

  whenEnded(callback: () => void): void {
    this.told.push(callback);
  }

  private readonly run = (): unknown => {
    let promise: Promise<unknown> | undefined;
    try {
      promise = promiseOf(this.registrar.call(this.fn));
    } catch (error) {
      this.fail(error);
    }
    // A run-once timer has done its work.
    if (this.handle?.active === false) this.leave();
    return promise?.catch(this.fail);
  };

  private readonly fail = (error: unknown): void => this.owner.report(this.name, error);

  private get name(): string {
    return this.options.name ?? (this.fn.name || 'anonymous');
  }

  private leave(): void {
    this.stopListening?.();
    this.owner.ended(this);
    for (const callback of this.told.splice(0)) callback();
  }
}
