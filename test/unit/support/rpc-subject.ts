import { Catch, Controller, Injectable, Module, UseFilters, type ExceptionFilter } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import {
  concat,
  concatMap,
  EMPTY,
  from,
  interval,
  map,
  of,
  take,
  throwError,
  timer,
  type Observable,
} from 'rxjs';

/** What a handler of {@link Subject} returns, by the name that the packet asks for. */
const values: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  zero: () => 0,
  'minus zero': () => -0,
  huge: () => 1e21,
  NaN: () => NaN,
  infinite: () => [Infinity, -Infinity],
  false: () => false,
  'empty text': () => '',
  text: () => 'é漢😀\ud800"\\\n\u2028',
  array: () => [1, undefined, () => 1, Symbol('s'), null],
  object: () => ({ a: undefined, b: () => 1, c: Symbol('s'), d: { e: [] } }),
  'own __proto__': () => JSON.parse('{"__proto__":{"polluted":true}}') as unknown,
  function: () => () => 1,
  symbol: () => Symbol('s'),
  date: () => new Date(0),
  buffer: () => Buffer.from('abc'),
  map: () => new Map([[1, 2]]),
  error: () => Object.assign(new Error('as a value'), { code: 1 }),
  boxed: () => [Object(1), Object('text'), Object(false)],
  toJSON: () => ({ toJSON: () => ({ by: 'toJSON' }) }),
  'toJSON with its key': () => ({ toJSON: (key: string) => `key ${key}` }),
  'toJSON of itself': () => ({ a: 1, toJSON() { return this; } }), // prettier-ignore
  'toJSON undefined': () => ({ toJSON: () => undefined }),
  BigInt: () => ({ big: 1n }),
  circular: () => {
    const value: Record<string, unknown> = {};
    value.self = value;
    return value;
  },
  'toJSON that throws': () => ({
    toJSON: () => {
      throw new Error('toJSON');
    },
  }),
};

/** What a handler throws, or the Observable it returned. */
const failures: Record<string, () => unknown> = {
  'an RpcException with text': () => new RpcException('text'),
  'an RpcException with an object': () => new RpcException({ code: 7, message: 'object' }),
  'a plain Error': () => new Error('secret'),
  'a thrown text': () => 'text',
  'a filtered object': () => ({ filtered: { status: 'error', message: 'by the filter', extra: [1] } }),
  'a filtered text': () => ({ filtered: 'text' }),
  'a filtered empty text': () => ({ filtered: '' }),
  'a filtered null': () => ({ filtered: null }),
  'a filtered undefined': () => ({ filtered: undefined }),
  'a filtered error class': () => ({ filtered: Object.assign(new TypeError('message'), { code: 'E' }) }),
  'a filtered error with toJSON': () => ({
    filtered: Object.assign(new Error('message'), { toJSON: (key: string) => `error ${key}` }),
  }),
  'a blank Error': () => ({ filtered: new Error('message') }),
  'a BigInt as error': () => ({ filtered: { big: 1n } }),
};

/** Lets a test throw into a reply whatever it likes. */
@Catch()
class Through implements ExceptionFilter {
  catch(error: unknown): Observable<never> {
    if (typeof error === 'object' && error !== null && 'filtered' in error) {
      return throwError(() => error.filtered);
    }
    if (error instanceof RpcException) return throwError(() => error.getError());
    return throwError(() => ({ status: 'error', message: 'Internal server error' }));
  }
}

@Injectable()
export class Journal {
  readonly events: unknown[] = [];
}

@Controller()
@UseFilters(Through)
class Subject {
  constructor(private readonly journal: Journal) {}

  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern(7)
  seven(@Payload() data: unknown): unknown {
    return ['seven', data];
  }

  @MessagePattern({ cmd: 'object', of: { a: 1, b: ['x'] } })
  object(@Payload() data: unknown): unknown {
    return ['object', data];
  }

  @MessagePattern('7.0')
  literal(@Payload() data: unknown): unknown {
    return ['literal', data];
  }

  @MessagePattern('value')
  value(@Payload() name: string): unknown {
    return values[name]?.();
  }

  @MessagePattern('promised value')
  async promisedValue(@Payload() name: string): Promise<unknown> {
    await Promise.resolve();
    return values[name]?.();
  }

  @MessagePattern('observed value')
  observedValue(@Payload() name: string): Observable<unknown> {
    return of(values[name]?.());
  }

  @MessagePattern('value later')
  valueLater(@Payload() name: string): Observable<unknown> {
    return timer(1).pipe(map(() => values[name]?.()));
  }

  @MessagePattern('value amid')
  valueAmid(@Payload() name: string): Observable<unknown> {
    return concat(of('first'), timer(1).pipe(map(() => values[name]?.())), timer(1).pipe(map(() => 'last')));
  }

  @MessagePattern('throw')
  throw(@Payload() name: string): never {
    throw failures[name]!();
  }

  @MessagePattern('reject')
  async reject(@Payload() name: string): Promise<never> {
    await Promise.resolve();
    throw failures[name]!();
  }

  @MessagePattern('fail')
  fail(@Payload() name: string): Observable<never> {
    return throwError(() => failures[name]!());
  }

  @MessagePattern('fail later')
  failLater(@Payload() name: string): Observable<unknown> {
    return concat(of(1, 2), timer(1).pipe(concatMap(() => throwError(() => failures[name]!()))));
  }

  @MessagePattern('all')
  all(@Payload() data: unknown[]): Observable<unknown> {
    return from(data);
  }

  @MessagePattern('all later')
  allLater(@Payload() data: unknown[]): Observable<unknown> {
    return interval(1).pipe(
      take(data.length),
      map((index) => data[index]),
    );
  }

  @MessagePattern('promised all')
  async promisedAll(@Payload() data: unknown[]): Promise<Observable<unknown>> {
    await Promise.resolve();
    return from(data);
  }

  @MessagePattern('empty')
  empty(@Payload() data: unknown): Observable<unknown> {
    return EMPTY.pipe(map(() => data));
  }

  @MessagePattern('empty later')
  emptyLater(@Payload() ms: number): Observable<unknown> {
    return timer(ms).pipe(concatMap(() => EMPTY));
  }

  @EventPattern('event')
  event(@Payload() data: unknown): void {
    this.journal.events.push(['event', data]);
  }

  @EventPattern({ topic: 'event' })
  objectEvent(@Payload() data: unknown): Observable<unknown> {
    this.journal.events.push(['object event', data]);
    return of(1, 2);
  }
}

@Module({ controllers: [Subject], providers: [Journal] })
export class SubjectModule {}

/** Names of values and failures, for requests. */
export const valueNames = Object.keys(values);
export const failureNames = Object.keys(failures);
