import type { ReactorTurns } from '../../core/reactor.js';

/** Somebody with messages that wait for a handler: a connection. */
export interface TurnTaker {
  /** How many messages wait. */
  readonly length: number;
  /** Starts the handler of one waiting message, if it may. Returns whether another one could follow. */
  takeTurn(): boolean;
}

/** How long the handlers that events start may take, in ms: as many start as that is expected to be enough for. */
const TURN_MS = 0.5;
/** Where messages wait, turns are so many times as long: the sooner nobody waits, the fewer take the longer way. */
const QUEUED_TURNS = 4;
const MAX_WIDTH = 512;
const FIRST_WIDTH = 8;
/**
 * What takes longer may be the garbage collector's or another process' doing, and says nothing of the next turns: up to
 * LONG_GAP_MS three times in a row, up to MAX_GAP_MS once.
 */
const LONG_GAP_MS = 5;
const MAX_GAP_MS = 50;
const MAX_GAPS = 3;
/** Each fourth turn goes to the others, though newcomers wait. */
const OTHERS_PICK = 4;

/**
 * Lets the connections of a server start handlers in turn, so that nobody waits for more than one turn of each of the
 * others, however much they have sent. Whoever asks one thing at a time does not even wait for that: three of four turns
 * go to those who were not waiting already, and have one message there.
 *
 * What a loop delivers is started as it comes, in the order of arrival, as long as the turn lasts: quick handlers never
 * meet its end. From then on until Node's loop has gone round, what comes waits in its connection's queue. Connections
 * with something waiting take turns, one handler each, as long as a turn lasts, and then Node's loop goes round again.
 *
 * A turn is a number of handlers, its width, and not a time: Nest's handlers begin in promise jobs, when all of a call
 * into JavaScript have been started. How long the last ones took, with those jobs, says how many may start the next time.
 * Of those with something waiting one starts, then two, four and so on, while the time that all of them took leaves some:
 * quick ones before do not make room for many slow ones.
 */
export class Turns implements ReactorTurns {
  /** Those whose first message has just come, and the others, each in the order of their turns. */
  private readonly newcomers = new Set<TurnTaker>();
  private readonly others = new Set<TurnTaker>();
  private picks = 0;
  private width = FIRST_WIDTH;
  private limit = FIRST_WIDTH;
  private started = 0;
  private ended = false;
  private scheduled = false;
  private gaps = 0;
  /** Handlers started before, and then by, the last events. */
  private before = 0;
  private startedByEvents = 0;

  /** @param report told what a taker threw: the others have their turn all the same */
  constructor(private readonly report: (error: unknown) => void) {}

  /** Nobody waits. */
  get idle(): boolean {
    return this.newcomers.size + this.others.size === 0;
  }

  beginEvents(lastTook: number): void {
    this.learn(this.startedByEvents, lastTook / 1000, TURN_MS);
    if (!this.spent) this.begin(this.width);
    this.before = this.started;
  }

  endEvents(): boolean {
    this.startedByEvents = this.started - this.before;
    return this.spent;
  }

  /** Whether one more handler may start in this turn, which then counts as started. */
  mayStart(): boolean {
    if (this.started >= this.limit) this.ended = true;
    if (!this.ended) this.started++;
    return !this.ended;
  }

  /**
   * Has a handler of this one started when its turn comes. To be called whenever something waits and could start.
   *
   * @param arrived its first message has just come, and did not wait for room
   */
  join(taker: TurnTaker, arrived = false): void {
    if (arrived && !this.others.has(taker)) this.newcomers.add(taker);
    else if (!this.newcomers.has(taker)) this.others.add(taker);
    this.schedule();
  }

  /** The turn is over, and somebody waits for the next one. */
  private get spent(): boolean {
    return this.ended && !this.idle;
  }

  private begin(limit: number): void {
    this.limit = limit;
    this.ended = false;
    this.started = 0;
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.run);
  }

  private readonly run = (): void => {
    this.scheduled = false;
    this.begin(this.width === 1 ? 1 : QUEUED_TURNS * this.width); // one may take any time
    this.startSome(1, performance.now());
  };

  /** Starts so many handlers of a turn, and then, behind the promise jobs in which they run, as many as there is time for. */
  private startSome(count: number, began: number): void {
    for (; count > 0 && !this.idle && this.mayStart(); count--) {
      const taker = this.next();
      try {
        if (!taker.takeTurn()) continue;
        if (!this.newcomers.has(taker)) this.others.add(taker); // behind them
      } catch (error) {
        this.report(error);
      }
    }
    queueMicrotask(() => process.nextTick(this.goOn, began));
  }

  private readonly goOn = (began: number): void => {
    const allowed = QUEUED_TURNS * TURN_MS;
    const took = performance.now() - began;
    const { started } = this;
    if (!this.idle && !this.ended && took < allowed) {
      // The next ones may take longer than those before.
      const fitting = Math.ceil((started * (allowed - took)) / Math.max(took, 0.001));
      this.startSome(Math.min(started, fitting), began);
      return;
    }
    this.learn(started, took, allowed);
    if (!this.idle) this.schedule();
  };

  /** Whose turn it is; he leaves. */
  private next(): TurnTaker {
    const newcomer = this.firstNewcomer();
    const inTurn = newcomer === undefined || (++this.picks % OTHERS_PICK === 0 && this.others.size > 0);
    const [taker] = inTurn ? this.others : [newcomer];
    this.newcomers.delete(taker!);
    this.others.delete(taker!);
    return taker!;
  }

  /** The first of them that has no more than one message waiting; those before it join the others. */
  private firstNewcomer(): TurnTaker | undefined {
    for (const taker of this.newcomers) {
      if (taker.length <= 1) return taker;
      this.newcomers.delete(taker);
      this.others.add(taker);
    }
    return undefined;
  }

  /** So many handlers took so long. A turn that was too long narrows the next ones; one that was not may widen them. */
  private learn(started: number, ms: number, allowed: number): void {
    if (started === 0) return;
    if (ms <= allowed) {
      this.gaps = 0;
      // That fewer were quick, or one, says nothing of as many as may start.
      if (this.width === MAX_WIDTH || started < this.width) return;
      const fitting = Math.floor((started * TURN_MS) / Math.max(ms, 0.001));
      this.width = Math.max(this.width, Math.min(fitting, 2 * this.width, MAX_WIDTH));
    } else if (ms < MAX_GAP_MS && this.gaps + (ms < LONG_GAP_MS ? 1 : 2) <= MAX_GAPS) {
      this.gaps += ms < LONG_GAP_MS ? 1 : 2;
    } else {
      this.width = Math.max(1, Math.min(this.width, Math.floor((started * TURN_MS) / ms)));
    }
  }
}
