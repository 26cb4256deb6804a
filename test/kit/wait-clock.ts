import { cpus } from 'node:os';

/** A busy machine makes deadlines so many times as long, at most. */
export const LONGEST_STRETCH = 10;

/** A thread that looks again after {@link POLL} ms was held up when it comes later than this. */
const LATEST_POLL = 5;
const SAMPLE_EVERY = 100;

/** Milliseconds between two looks at a condition. */
export const POLL = 2;

/** Of all processors, since the machine was started; 0 where the system does not tell. */
const idleTime = (): number => cpus().reduce((sum, { times }) => sum + times.idle, 0);

let sample = { at: performance.now(), idle: idleTime() };
let share = 1;

/**
 * How much of the time a processor stood idle of late, from 0 to 1: as long as one does, nobody else keeps what is waited
 * for from running.
 */
function idleShare(now: number): number {
  if (sample.idle > 0 && now - sample.at >= SAMPLE_EVERY) {
    const idle = idleTime();
    share = Math.min(1, (idle - sample.idle) / (now - sample.at));
    sample = { at: now, idle };
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

  /** The time until now. To be read every {@link POLL} ms. */
  read(): number {
    const now = performance.now();
    const passed = Math.min(now - this.last, LATEST_POLL);
    this.counted += passed * Math.max(idleShare(now), 1 / LONGEST_STRETCH);
    this.last = now;
    return Math.max(this.counted, (now - this.started) / LONGEST_STRETCH);
  }
}
