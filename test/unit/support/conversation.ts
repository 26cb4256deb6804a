import { random } from '../../kit/random.js';
import type { Sent } from './converse.js';
import { failureNames, valueNames } from './rpc-subject.js';

/** A thousand packets, the same for the same seed. */
export function conversation(seed: number): Sent[] {
  const below = random(seed);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const data = (): unknown =>
    pick<() => unknown>([
      () => below(1e9) - 5e8,
      () => below(1e6) / 7,
      () => 'é漢😀#12"\\\ud83d'.slice(below(10)).repeat(below(40)),
      () => null,
      () => below(2) === 0,
      () => [below(9), [below(9)], {}],
      () => ({ a: { '': below(9), __proto__x: 1 }, é: null }),
      () => 'x'.repeat(below(20_000)),
    ])();
  const list = (): unknown[] => Array.from({ length: below(6) }, data);
  const object = { cmd: 'object', of: { a: 1, b: ['x'] } };
  const reordered = { of: { b: ['x'], a: 1 }, cmd: 'object' };
  const patterns = [
    7,
    '7',
    '7.0 ',
    object,
    reordered,
    JSON.stringify(object),
    ` ${JSON.stringify(reordered)}`,
  ];
  const unknown = [
    ...[
      'nobody',
      '',
      ' ',
      '{',
      '[]',
      'true',
      'null',
      '"quoted',
      '__proto__',
      'constructor',
      'é漢😀',
      '07',
      '-7',
    ],
    ...[8, -7, 7.5, null, true, false, [], ['echo'], {}, { cmd: 'object' }, { cmd: object }, { '': [{}] }],
    JSON.parse('{"__proto__":{"cmd":"object"}}'),
    Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`k${index}`, index])),
    JSON.parse('{"a":'.repeat(40) + '1' + '}'.repeat(40)),
    'x'.repeat(3_000),
  ];
  const requests: readonly (() => Sent)[] = [
    () => ({ pattern: 'echo', data: data() }),
    () => ({ pattern: '"echo"', data: data() }),
    () => ({ pattern: pick(patterns), data: data() }),
    () => ({ pattern: '7.0', data: 1 }),
    () => ({ pattern: pick(unknown), data: data() }),
    () => ({ pattern: pick(['value', 'promised value', 'observed value']), data: pick(valueNames) }),
    () => ({ pattern: pick(['value later', 'value amid']), data: pick(valueNames) }),
    () => ({ pattern: pick(['throw', 'reject', 'fail', 'fail later']), data: pick(failureNames) }),
    () => ({ pattern: pick(['all', 'all later', 'promised all']), data: list() }),
    () => ({ pattern: pick(['empty', 'empty later']), data: 1 }),
    () => ({ pattern: pick(['handler throws', 'handler rejects']), data: 1 }),
    () => ({ pattern: pick(['event', { topic: 'event' }]), data: data() }), // a request all the same
    () => ({ pattern: 'echo' }),
    () => ({ data: data() }),
    () => ({}),
    () => ({ pattern: 'echo', data: data(), metadata: { trace: below(9) }, extra: [1], isDisposed: true }),
  ];
  const events: readonly (() => Sent)[] = [
    () => ({
      pattern: pick<unknown>(['event', '"event"', { topic: 'event' }, '{"topic":"event"}']),
      data: data(),
    }),
    () => ({ pattern: pick(unknown), data: data() }),
  ];
  const oddIds = [
    null,
    0,
    '',
    false,
    true,
    -1,
    1e21,
    0.5,
    '__proto__',
    '"',
    '\\',
    '\ud800',
    'é漢😀',
    '\u2028',
    [],
    {},
  ];
  const id = (number: number): unknown =>
    oddIds[number] !== undefined
      ? oddIds[number]
      : pick<unknown>([number, `${number}`, `id-${number}_x`, `é ${number}"`, [number], { number }]);
  return Array.from({ length: 1_000 }, (_, number) =>
    below(6) === 0 ? pick(events)() : { ...pick(requests)(), id: id(number) },
  );
}
