import { setTimeout as sleep } from 'node:timers/promises';

const drainSeconds = 5;
const requestCount = 251;

/**
 * What is asked for, in turn.
 *
 * @typedef {object} Task
 * @property {unknown} pattern
 * @property {readonly { make(): unknown, isRight(value: unknown): boolean }[]} requests the data of each, and whether an
 *   answer is the right one
 */

/** Sums of five numbers of three digits each, as gev_load sends them. @type {Task} */
const sums = {
  pattern: { cmd: 'sum' },
  requests: Array.from({ length: requestCount }, (_, request) => {
    const numbers = Array.from({ length: 5 }, (_, index) => 100 + ((request * 7919 + index * 104_729) % 900));
    const sum = numbers.reduce((total, one) => total + one);
    return { make: () => numbers, isRight: (value) => value === sum };
  }),
};

/**
 * Keeps calls outstanding on one client: each that is answered is followed by the next. A wrong result, a second one, a
 * missing one or an error ends the load: what was awaited then rejects.
 */
export class CallLoad {
  #client;
  #task;
  #latency = new LatencyHistogram();
  #messages = 0;
  #startedAt = 0;
  #endedAt = 0;
  #lanes;
  #next = 0;
  #stopping = false;
  #allowance = Infinity; // calls that may still be made
  #whenAnswered = () => {};
  #fail;
  #failure = new Promise((_, reject) => (this.#fail = reject));

  /**
   * @param {import('@nestjs/microservices').ClientProxy} client
   * @param {number} depth
   * @param {Task} task
   */
  constructor(client, depth, task = sums) {
    this.#client = client;
    this.#task = task;
    this.#failure.catch(() => {}); // told to whoever waits at the time, or next
    this.#lanes = Array.from({ length: depth }, () => new Lane(this));
  }

  /** Starts when called first; goes on until drain(). @param {number} seconds */
  async runFor(seconds) {
    for (const lane of this.#lanes) if (!lane.outstanding) lane.call(performance.now());
    await this.#unlessFailed(sleep(seconds * 1000));
    this.#endedAt = performance.now();
  }

  /** Makes so many calls, and waits for their results. @param {number} calls */
  async exchange(calls) {
    this.#allowance = calls;
    const answered = new Promise((resolve) => (this.#whenAnswered = resolve));
    for (const lane of this.#lanes) lane.call(performance.now());
    await this.#unlessFailed(answered);
  }

  /** Forgets what has been counted so far. */
  clear() {
    this.#latency.clear();
    this.#messages = 0;
    this.#startedAt = performance.now();
  }

  /** What was measured from clear() to the end of the last runFor(). */
  report() {
    const seconds = (this.#endedAt - this.#startedAt) / 1000;
    return {
      depth: this.#lanes.length,
      seconds,
      messages: this.#messages,
      messagesPerSecond: this.#messages / seconds,
      p50Micros: this.#latency.percentile(50),
      p99Micros: this.#latency.percentile(99),
    };
  }

  /** Calls no more, and waits for the results that are owed. */
  async drain() {
    this.#stopping = true;
    const owed = () => this.#lanes.filter(({ outstanding }) => outstanding).length;
    const deadline = performance.now() + drainSeconds * 1000;
    while (owed() > 0 && performance.now() < deadline) await this.#unlessFailed(sleep(10));
    if (owed() > 0) throw new Error(`${owed()} calls were never answered`);
  }

  /** A lane is free: its call has been answered, or it never had one. Returns undefined when no more is to be asked. */
  nextRequest() {
    if (this.#stopping || this.#allowance === 0) return undefined;
    this.#allowance--;
    const { requests } = this.#task;
    if (++this.#next === requests.length) this.#next = 0;
    return requests[this.#next];
  }

  /** A lane has nothing more to do. */
  laneEnded() {
    if (this.#lanes.every(({ outstanding }) => !outstanding)) this.#whenAnswered();
  }

  send(request) {
    return this.#client.send(this.#task.pattern, request.make());
  }

  count(milliseconds) {
    this.#messages++;
    this.#latency.record(milliseconds * 1000);
  }

  fail(reason) {
    this.#stopping = true;
    this.#fail(new Error(reason));
  }

  #unlessFailed(promise) {
    return Promise.race([promise, this.#failure]);
  }
}

/** One call after the other, and the observer of each. */
class Lane {
  outstanding = false;
  #load;
  #request;
  #sentAt = 0;
  #results = 0;

  constructor(load) {
    this.#load = load;
  }

  /** @param {number} now */
  call(now) {
    const request = this.#load.nextRequest();
    this.outstanding = request !== undefined;
    if (!this.outstanding) return this.#load.laneEnded();
    this.#request = request;
    this.#results = 0;
    this.#sentAt = now;
    this.#load.send(request).subscribe(this);
  }

  next(value) {
    this.#results++;
    if (!this.#request.isRight(value))
      this.#load.fail(`wrong response ${JSON.stringify(value)?.slice(0, 200)}`);
  }

  complete() {
    if (this.#results !== 1) this.#load.fail(`${this.#results} results of one call`);
    const now = performance.now();
    this.#load.count(now - this.#sentAt);
    this.call(now);
  }

  error(error) {
    this.#load.fail(`a call failed: ${error?.message ?? JSON.stringify(error)}`);
  }
}

/** Counts latencies by the microsecond, up to a fifth of a second. */
class LatencyHistogram {
  #counts = new Uint32Array(200_000);

  clear() {
    this.#counts.fill(0);
  }

  record(micros) {
    const counts = this.#counts;
    counts[Math.min(Math.max(Math.round(micros), 0), counts.length - 1)]++;
  }

  /** The value that `percent` per cent of the records do not exceed. */
  percentile(percent) {
    const counts = this.#counts;
    const rank = (counts.reduce((sum, count) => sum + count, 0) * percent) / 100;
    let seen = 0;
    for (let micros = 0; micros < counts.length; ++micros) {
      seen += counts[micros];
      if (seen > 0 && seen >= rank) return micros;
    }
    return 0;
  }
}
