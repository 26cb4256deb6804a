import { describe, expect, it } from '@jest/globals';
import type { MessageHandler, ReadPacket } from '@nestjs/microservices';
import type { GevContext } from '../../src/context/gev.context.js';
import type { GevNetworkAddress } from '../../src/core/address.js';
import { GevServer } from '../../src/server/gev.server.js';
import { hasMisplacedRest, Wildcards } from '../../src/server/handlers/wildcards.js';
import { onCleanup } from '../kit/cleanup.js';
import { FramePeer } from '../kit/frames.js';
import { random } from '../kit/random.js';
import { until } from '../kit/until.js';

const handler = (isEventHandler = false): MessageHandler =>
  Object.assign(() => Promise.resolve() as never, { isEventHandler });

const compile = (...patterns: string[]): Wildcards =>
  new Wildcards(patterns.map((pattern) => [pattern, handler()]));

const matches = (registered: string, pattern: string): boolean =>
  compile(registered).find(pattern, false) !== undefined;

/** Whether a pattern matches another, by the definition. */
function naiveMatch(registered: string, pattern: string): boolean {
  const wanted = registered.split('.');
  const given = pattern.split('.');
  if (wanted.at(-1) === '>') {
    wanted.pop();
    if (given.length <= wanted.length) return false;
    given.length = wanted.length;
  }
  return (
    wanted.length === given.length &&
    wanted.every((segment, index) => segment === '*' || segment === given[index])
  );
}

/** What comes first is meant: in the order of the alphabet, with `*` and then a last `>` behind everything else. */
function rank(registered: string): string[] {
  const segments = registered.split('.');
  return segments.map((segment, index) =>
    segment === '*' ? '1' : segment === '>' && index === segments.length - 1 ? '2' : `0${segment}`,
  );
}

function isMoreSpecific(one: string, other: string): boolean {
  const [ranks, others] = [rank(one), rank(other)];
  const differ = ranks.findIndex((segment, index) => segment !== others[index]);
  return differ !== -1 && (others[differ] === undefined || ranks[differ]! < others[differ]);
}

const isWildcard = (registered: string): boolean => {
  const segments = registered.split('.');
  return segments.includes('*') || segments.at(-1) === '>';
};

describe('Wildcards', () => {
  it.each([
    [
      'orders.*',
      ['orders.1', 'orders.', 'orders.*'],
      ['orders', 'orders.1.2', 'orderss.1', 'Orders.1', '.orders.1'],
    ],
    ['*', ['orders', ''], ['orders.1', '.']],
    ['>', ['orders', 'orders.1.2', '', '.'], []],
    ['orders.>', ['orders.1', 'orders.1.2', 'orders.', 'orders..'], ['orders', 'order.1']],
    ['*.created', ['orders.created', '.created'], ['created', 'orders.x.created']],
    ['*.*.>', ['a.b.c', 'a.b.c.d'], ['a.b', 'a']],
    ['$SYS.*', ['$SYS.x'], ['SYS.x', '$SYS']],
    ['a+b.(c|d).*', ['a+b.(c|d).x'], ['aab.c.x']],
    ['orders.*d', [], ['orders.created', 'orders.*d']],
    ['orders.**', [], ['orders.a.b', 'orders.a']],
    ['orders.>x', [], ['orders.a']],
    ['orders.>.x', [], ['orders.a.x']],
    ['orders.#', [], ['orders.a']],
  ])('P1: %s', (registered, does, doesNot) => {
    expect(does.filter((pattern) => !matches(registered, pattern))).toEqual([]);
    expect(doesNot.filter((pattern) => matches(registered, pattern))).toEqual([]);
  });

  it('P1: objects and what the protocol has taken match nothing, and are matched by nothing', () => {
    const all = compile('>', '{"a":"x.*.y"}', '{"a.*":1}', 'gev:*', 'gev:x.>');
    for (const pattern of ['{"a":"x.1.y"}', '{"a.b":1}', 'gev:hello', 'gev:x.y']) {
      expect(all.find(pattern, false)).toBeUndefined();
    }
    expect(compile('{"a":"x.*.y"}').find('{"a":"x.1.y"}', false)).toBeUndefined();
  });

  it('P1: a > that is not the last segment is known for what it is', () => {
    expect(['a.>.b', '>.b', 'a.>.>', '>.'].filter(hasMisplacedRest)).toHaveLength(4);
    expect(['a.>', '>', 'a>.b', 'a.>b.c', '{"a":">.b"}'].filter(hasMisplacedRest)).toEqual([]);
  });

  it('P1: requests find the best of those for requests, events the best of those for events', () => {
    const both = new Wildcards([
      ['a.*', handler(true)],
      ['a.>', handler()],
      ['>', handler(true)],
    ]);
    expect(both.find('a.b', true)?.pattern).toBe('a.*');
    expect(both.find('a.b', false)?.pattern).toBe('a.>');
    expect(both.find('b', true)?.pattern).toBe('>');
    expect(both.find('b', false)).toBeUndefined();
  });

  it('P1: of many patterns the one is found that a look at all of them finds', () => {
    const below = random(20);
    const segments = ['a', 'b', '', '*', '>', '$', 'ab', '**'];
    const make = (alphabet: readonly string[], longest: number): string =>
      Array.from({ length: 1 + below(longest) }, () => alphabet[below(alphabet.length)]!).join('.');
    for (let round = 0; round < 300; round++) {
      const registered = [...new Set(Array.from({ length: 1 + below(12) }, () => make(segments, 4)))];
      const table = compile(...registered);
      for (let trial = 0; trial < 40; trial++) {
        const pattern = make(segments, 5);
        const found = registered
          .filter((each) => isWildcard(each) && naiveMatch(each, pattern))
          .reduce<string | undefined>(
            (best, each) => (best === undefined || isMoreSpecific(each, best) ? each : best),
            undefined,
          );
        expect([pattern, registered, table.find(pattern, false)?.pattern]).toEqual([
          pattern,
          registered,
          found,
        ]);
      }
    }
  });

  it('P1: a pattern made to be looked up slowly costs no more than the registered ones have segments', () => {
    let looks = 0;
    const registered = Array.from({ length: 2 ** 8 }, (_, bits) =>
      [...Array(8).keys()].map((bit) => ((bits >> bit) & 1 ? '*' : 'a')).join('.'),
    );
    const table = compile(...registered.map((pattern) => `${pattern}.end`));
    const get = Map.prototype.get;
    onCleanup(() => (Map.prototype.get = get));
    Map.prototype.get = function (key) {
      looks++;
      return get.call(this, key) as unknown;
    };
    table.find(`${Array(8).fill('a').join('.')}.${'x.'.repeat(1_000_000)}`, false);
    Map.prototype.get = get;
    expect(looks).toBeLessThan(2 ** 10);
  });
});

describe('a server', () => {
  const start = async (server: GevServer): Promise<FramePeer> => {
    await new Promise((resolve) => server.listen(resolve));
    onCleanup(() => server.close());
    return FramePeer.connect((server.address() as GevNetworkAddress).port);
  };
  const local = { host: '127.0.0.1', port: 0, loops: 0 };
  const saying = (word: string): MessageHandler => Object.assign(() => Promise.resolve(word) as never, {});
  const responses = (packets: any[]): unknown[] =>
    packets.map(({ response, err }) => (response ?? err) as unknown);

  it('P1: a handler that is added while the server listens is found, though a wildcard was before', async () => {
    const server = new GevServer(local);
    server.addHandler('a.>', saying('rest'));
    const peer = await start(server);
    const ask = (): Promise<any[]> =>
      peer.write({ pattern: 'a.b', data: 1, id: '1' }, { id: '2', pattern: 'a.b' }).packets(2);
    expect(responses(await ask())).toEqual(['rest', 'rest']);
    server.addHandler('a.*', saying('one'));
    expect(responses(await ask())).toEqual(['one', 'one']);
    server.addHandler('a.b', saying('exact'));
    expect(responses(await ask())).toEqual(['exact', 'exact']);
  });

  it('P1: a deserializer, hooks and an overridden handleEvent() see the pattern that was sent', async () => {
    const seen: string[] = [];
    class Watched extends GevServer {
      override handleEvent(pattern: string, packet: ReadPacket, context: GevContext): Promise<any> {
        seen.push(`event ${pattern}, sent as ${context.getPattern()}`);
        return super.handleEvent(pattern, packet, context);
      }
    }
    const server = new Watched({ ...local, deserializer: { deserialize: (packet: any) => packet as never } });
    server.setOnProcessingStartHook((_, context, done) => {
      seen.push(`start ${(context as GevContext).getPattern()}`);
      void done();
    });
    server.addHandler('a.*', saying('one'));
    server.addHandler('b.>', ((data: unknown) => void seen.push(`handled ${String(data)}`)) as never, true);
    const peer = await start(server);
    peer.write({ pattern: 'b.c', data: 7 }, { pattern: 'a.b', data: 1, id: '1' });
    expect(responses(await peer.packets(1))).toEqual(['one']);
    await until(() => seen.length === 4);
    expect(seen.sort()).toEqual(['event b.>, sent as b.c', 'handled 7', 'start a.b', 'start b.c']);
  });

  it('P1: where the application looks handlers up in its own way, that one counts', async () => {
    class Own extends GevServer {
      override getHandlerByPattern(pattern: string): MessageHandler | null {
        return super.getHandlerByPattern(pattern.toLowerCase());
      }
    }
    const server = new Own(local);
    server.addHandler('a.*', saying('one'));
    const peer = await start(server);
    peer.write({ pattern: 'A.*', data: 1, id: '1' }, { pattern: 'a.b', data: 1, id: '2' });
    expect(responses(await peer.packets(2)).sort()).toEqual([
      'There is no matching message handler defined in the remote service.',
      'one',
    ]);
  });
});
