import { cpus } from 'node:os';

/** A busy machine makes deadlines so many times as long, at most. */
const LONGEST_STRETCH = 10;

/** How many times as long everything takes where a sanitizer looks at it (set by test/run-jest.mjs). */
const SLOWDOWN = Number(process.env.GEV_TEST_SLOWDOWN ?? 1);

/** Milliseconds between two looks at a condition, at most. */
export const LONGEST_POLL = 10;
/** A thread that comes later than this to look again was held up. */
const LATEST_POLL = 2 * LONGEST_POLL;
const SAMPLE_EVERY = 100;

/** Of all processors, since the machine was started; 0 where the system does not tell. */
const idleTime = (): number => cpus().reduce((sum, { times }) => sum + times.idle, 0);

/**
 * How much of a period counts, from a tenth to 1: so much of it as a processor stood idle, for then nobody else kept what
 * is waited for from running.
 */
export class IdleShare {
  private readonly at = performance.now();
  private readonly idle = idleTime();

  /** From when this was made until now. */
  read(): number {
    if (this.idle === 0) return 1;
    return Math.min(1, Math.max((idleTime() - this.idle) / this.age, 1 / LONGEST_STRETCH));
  }

  /** In ms. */
  get age(): number {
    return performance.now() - this.at;
  }
}

let sample = new IdleShare();
let share = 1;

/** As it was of late. */
function latestShare(): number {
  if (sample.age >= SAMPLE_EVERY) {
    share = sample.read();
    sample = new IdleShare();
  }
  return share;
}

/**
 * Measures the time in which something that is waited for had its chance to happen, in milliseconds. On a quiet machine
 * that is time as usual. Where no processor was idle, others may have had them all, and it passes at a tenth of that; nor
 * does it count how long the thread that looks was itself held up.
 */
export class WaitClock {
  private counted = 0;
  private readonly started = performance.now();
  private last = this.started;

  /** The time until now. To be read every {@link LONGEST_POLL} ms. */
  read(): number {
    const now = performance.now();
    this.counted += Math.min(now - this.last, LATEST_POLL) * latestShare();
    this.last = now;
    return Math.max(this.counted, (now - this.started) / LONGEST_STRETCH) / SLOWDOWN;
  }
}
