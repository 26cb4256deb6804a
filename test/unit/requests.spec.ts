import { describe, expect, it } from '@jest/globals';
import { Deadlines } from '../../src/core/deadlines.js';
import { resolveRequestOptions } from '../../src/core/request-options.js';
import { type RequestConnection, type RequestDeadlines, Requests } from '../../src/core/requests.js';
import type { GevPacketFormat } from '../../src/protocol/packet-format.js';
import type { GevRequestOptions } from 'nestjs-gev';
import { random } from '../kit/random.js';
import { FakeClock } from './support/fake-clock.js';

interface Question {
  readonly id: number;
  readonly text: string;
}

interface Sent extends Question {
  readonly at: number;
}

/** Frames are `{ id, text }`; answers repeat both. */
const format: GevPacketFormat<Question> = {
  read: ({ id, text }) => ({ answers: id, data: text }),
  write: () => undefined,
  request: (data, id) => ({ id, text: String(data) }),
  requestIds: [0, 7],
};

/** The requests of one connection, whose time is told by hand. */
class Subject {
  readonly clock = new FakeClock();
  readonly sent: Sent[] = [];
  readonly outcomes = new Map<string, unknown>();
  dropped = 0;
  watched = false;
  readonly requests: Requests;

  constructor(withIds: boolean) {
    const deadlines: RequestDeadlines = new Deadlines(this.clock, (request) => request.owner.expire(request));
    const connection = {
      state: 'open',
      remoteAddress: '127.0.0.1',
      remotePort: 1,
      framing: { kind: 'custom', format: withIds ? format : undefined, borrowed: false },
      transmitChecked: (frame: Question | string) => {
        const question = typeof frame === 'string' ? { id: -1, text: frame } : frame;
        this.sent.push({ ...question, at: this.clock.now() });
        return true;
      },
      watchFrames: () => (this.watched = this.requests.watching),
      dropAnswer: () => this.dropped++,
    };
    this.requests = new Requests(connection as unknown as RequestConnection, deadlines, false);
  }

  ask(text: string, options: GevRequestOptions): void {
    const settle = (outcome: unknown): void => {
      if (this.outcomes.has(text)) throw new Error(`${text} is settled twice`);
      this.outcomes.set(text, outcome);
    };
    try {
      this.requests.ask(text, resolveRequestOptions(options), settle, settle);
    } catch (error) {
      settle(error);
    }
  }

  answer({ id, text }: Question): void {
    if (id < 0) this.requests.take(text);
    else this.requests.takeAnswer({ answers: id, data: text });
  }
}

describe.each([
  ['by id', true],
  ['in order', false],
])('requests that are answered %s', (_, withIds) => {
  it.each(Array.from({ length: 40 }, (__, seed) => seed))(
    'C11: none gets the answer of another, late or not, and nothing is left of them (seed %i)',
    (seed) => {
      const pick = random(seed);
      const subject = new Subject(withIds);
      const { clock, sent, outcomes } = subject;
      const owed: { readonly question: Question; readonly due: number }[] = [];
      let asked = 0;
      let known = 0;
      let answered = 0;
      let latest = 0;
      /** What was sent is answered when less than twice its time has passed: some of it when it was given up. */
      const schedule = (): void => {
        for (; known < sent.length; known++) {
          // One behind the other where there is no id.
          const question = sent[known]!;
          latest = Math.max(withIds ? 0 : latest, question.at + pick(170));
          owed.push({ question, due: latest });
        }
      };
      const answer = (): void => {
        for (let index = 0; index < owed.length;) {
          const { question, due } = owed[index]!;
          if (due > clock.now()) {
            index++;
            continue;
          }
          owed.splice(index, 1);
          subject.answer(question);
          answered++;
          schedule(); // one that is exclusive has its turn
        }
      };
      for (let step = 0; step < 400; step++) {
        if (pick(3) > 0) {
          const exclusive = pick(6) === 0;
          const signal = pick(6) === 0 ? abortLater() : undefined;
          subject.ask(`q${asked++}`, { timeout: 100, exclusive, signal });
          schedule();
        }
        clock.advance(pick(20));
        answer();
      }
      function abortLater(): AbortSignal {
        const controller = new AbortController();
        clock.after(pick(100), () => controller.abort());
        return controller.signal;
      }
      for (let step = 0; step < 2_000 && outcomes.size < asked; step++) {
        clock.advance(20);
        schedule();
        answer();
      }
      clock.advance(1_000);
      answer();
      const gotten = [...outcomes].filter(([, outcome]) => typeof outcome === 'string');
      expect(gotten.filter(([text, outcome]) => text !== outcome)).toEqual([]);
      expect(gotten.length).toBeGreaterThan(10);
      expect(outcomes.size).toBe(asked);
      expect(gotten.length + subject.dropped).toBeLessThanOrEqual(answered);
      expect([subject.watched, subject.requests.awaiting, clock.timerCount]).toEqual([false, false, 0]);
    },
  );
});

describe('requests', () => {
  it('M5: of a thousand that nobody answers nothing is left when twice their time has passed', () => {
    for (const withIds of [false, true]) {
      const subject = new Subject(withIds);
      for (let index = 0; index < 1_000; index++) {
        subject.ask(`q${index}`, { timeout: 10 + (index % 5), match: index % 2 ? () => false : undefined });
      }
      expect(subject.requests.awaiting).toBe(true);
      subject.clock.advance(200);
      expect(subject.outcomes.size).toBe(1_000);
      expect([subject.watched, subject.requests.awaiting, subject.clock.timerCount]).toEqual([
        false,
        false,
        0,
      ]);
    }
  });

  it('C11: an answer in order is dropped in the time of the place of one that was given up, and not after it', () => {
    const subject = new Subject(false);
    const controller = new AbortController();
    subject.ask('a', { timeout: 100 });
    subject.ask('b', { timeout: 5_000, signal: controller.signal });
    subject.ask('c', { timeout: 60_000 });
    subject.clock.advance(150); // a is given up
    controller.abort();
    expect(subject.requests.take('a')).toBe(true);
    expect(subject.requests.take('b')).toBe(true);
    expect([subject.dropped, subject.outcomes.has('c')]).toEqual([2, false]);
    expect(subject.requests.take('c')).toBe(true);
    expect(subject.outcomes.get('c')).toBe('c');
    subject.ask('d', { timeout: 100 });
    subject.clock.advance(250);
    expect(subject.requests.take('a frame of its own')).toBe(false);
  });

  it('C11: a place outlives the failure of all once only', () => {
    const subject = new Subject(false);
    subject.ask('a', { timeout: 100 });
    subject.clock.advance(150);
    subject.requests.failAll('local', undefined);
    subject.ask('b', { timeout: 100 });
    expect(subject.requests.awaiting).toBe(true);
    subject.requests.take('b');
    expect([subject.requests.awaiting, subject.outcomes.get('b')]).toEqual([false, 'b']);
    subject.clock.advance(1_000);
    expect(subject.outcomes.size).toBe(2);
  });
});
