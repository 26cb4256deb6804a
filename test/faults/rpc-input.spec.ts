import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { setImmediate as turn } from 'node:timers/promises';
import { frame, FramePeer, serveEcho } from '../kit/frames.js';
import { Peer } from '../kit/peer.js';
import { residentMemory } from '../kit/process-stats.js';
import { random } from '../kit/random.js';
import { sanitized, startServer } from '../kit/server-process.js';
import { settled, until } from '../kit/until.js';

const MiB = 1024 * 1024;
const NO_HANDLER = 'There is no matching message handler defined in the remote service.';

const echo = (data: unknown, id: unknown = 'id'): object => ({ pattern: 'echo', data, id });

/** `[[[…]]]`, which JSON.stringify cannot write. */
const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

/** The server answers this client as if nothing had happened. */
async function expectWell(client: FramePeer): Promise<void> {
  client.write(echo('well?', 'well'));
  expect(await client.packets(1)).toEqual([{ response: 'well?', isDisposed: true, id: 'well' }]);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  expect(Object.keys(Object.prototype)).toEqual([]);
}

describe.each([0, 2])('what peers send to %i loops', (loops) => {
  it('FAULTS 1: a conversation one byte at a time has the replies of one that comes at once', async () => {
    const { port, notes } = await serveEcho({ loops });
    const conversation = [
      echo('é漢😀', '1'),
      { pattern: 'note', data: ['first'] },
      { pattern: { cmd: 'echo' }, data: { deep: [[{}]] }, id: 2 },
      { pattern: 'nobody', data: 0, id: '3' },
      { pattern: 'note', data: 'last' },
      echo(null, '4'),
    ];
    const replies = async (client: FramePeer): Promise<any[]> => (await client.packets(4)).sort(byId);
    const whole = await FramePeer.connect(port);
    whole.write(...conversation);
    const expected = await replies(whole);
    expect(expected.map(({ id }) => String(id))).toEqual(['1', '2', '3', '4']);
    const split = await FramePeer.connect(port);
    for (const byte of Buffer.concat(conversation.map(frame))) {
      split.peer.write(Buffer.of(byte));
      await turn();
    }
    expect(await replies(split)).toEqual(expected);
    expect(notes).toEqual([['first'], 'last', ['first'], 'last']);
  });

  it('FAULTS 2: 20,000 requests in one write are all answered, in order', async () => {
    const { port } = await serveEcho({ loops });
    for (const requests of [
      Array.from({ length: 20_000 }, (_, number) => echo(number, `id-${number}`)),
      Array.from({ length: 20_000 }, (_, number) => ({ pattern: { cmd: 'echo' }, data: number, id: number })),
    ]) {
      const client = await FramePeer.connect(port);
      client.write(...requests);
      const packets = await client.packets(20_000);
      const isReply = (packet: any, index: number): boolean => {
        const { data, id } = requests[index] as { data: number; id: unknown };
        return packet.response === data && packet.isDisposed === true && packet.id === id;
      };
      expect(packets.findIndex((packet, index) => !isReply(packet, index))).toBe(-1);
      expect(packets).toHaveLength(requests.length);
      expect(client.closed).toBe(false);
    }
  });

  it('FAULTS 4: a frame of 90 MB is refused where it is declared, and costs nothing', async () => {
    const { port, pid } = await startServer('rpc', { loops });
    const bystander = await FramePeer.connect(port);
    await expectWell(bystander);
    const before = residentMemory(pid);
    for (let round = 0; round < 5; round++) {
      const peers = await Peer.connectAll(4, port);
      for (const peer of peers) peer.read().write(`94371840#${'x'.repeat(8 * MiB)}`);
      await until(() => peers.every(({ closed }) => closed));
      await expectWell(bystander);
    }
    expect(residentMemory(pid) - before).toBeLessThan((sanitized ? 256 : 64) * MiB);
  });

  it('FAULTS 4: frames that are declared and not sent take memory as their bytes arrive, and time out', async () => {
    const { port, pid } = await startServer('rpc', { loops, incompleteFrameTimeout: 2_000 });
    const bystander = await FramePeer.connect(port);
    await expectWell(bystander);
    const before = residentMemory(pid);
    const silent = await Peer.connectAll(200, port);
    for (const peer of silent) peer.read().write('4194304#{"pattern":');
    const half = await Peer.connectAll(8, port);
    for (const peer of half) peer.read().write(`4194304#{"pattern":"${'x'.repeat(2 * MiB)}`);
    await settled(() => residentMemory(pid));
    // A buffer grows by doubling: 8 times 4 MiB at most, and nothing to speak of for the silent ones.
    if (!sanitized) expect(residentMemory(pid) - before).toBeLessThan(64 * MiB);
    await expectWell(bystander);
    await until(() => [...silent, ...half].every(({ closed }) => closed));
    await expectWell(bystander);
  });

  it('FAULTS 4: long frames for a server that is busy wait at their sender', async () => {
    const frames = 40;
    const { child, port, pid } = await startServer('rpc', { loops });
    const bystander = await FramePeer.connect(port);
    await expectWell(bystander);
    const before = residentMemory(pid);
    const peers = await Peer.connectAll(4, port);
    const long = frame({ pattern: 'nobody', data: 'x'.repeat(2 * MiB), id: '1' });
    child.say('block');
    await child.report('blocked');
    for (const peer of peers) {
      peer.read();
      for (let number = 0; number < frames; number++) peer.write(long);
    }
    await settled(() => peers.reduce((sum, { socket }) => sum + socket.writableLength, 0));
    if (!sanitized) expect(residentMemory(pid) - before).toBeLessThan(128 * MiB);
    child.say('go on');
    await child.report('unblocked');
    await until(() => peers.every(({ length }) => length >= frames * 100), 'all are answered');
    await expectWell(bystander);
  });

  describe('FAULTS 6: JSON that is 200,000 deep', () => {
    const nested = deep(200_000);
    it.each([
      ['as data', `{"pattern":"echo","data":${nested},"id":"id"}`],
      ['as data of an object pattern', `{"pattern":{"cmd":"echo"},"data":${nested},"id":"id"}`],
      ['as data nobody handles', `{"pattern":"nobody","data":${nested},"id":"id"}`],
      ['as pattern', `{"pattern":${nested},"data":1,"id":"id"}`],
      ['as a pattern in a string', `{"pattern":"${nested}","data":1,"id":"id"}`],
      [
        'as an object pattern',
        `{"pattern":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)},"data":1,"id":"id"}`,
      ],
      ['as metadata', `{"pattern":"nobody","data":1,"metadata":${nested},"id":"id"}`],
      ['as id', `{"pattern":"echo","data":1,"id":${nested}}`],
      ['as id nobody handles', `{"pattern":"nobody","data":1,"id":${nested}}`],
      ['and never closed', '['.repeat(200_000)],
    ])('%s is answered with an error, or ends the connection', async (_, packet) => {
      const { port } = await serveEcho({ loops });
      const bystander = await FramePeer.connect(port);
      const client = await FramePeer.connect(port);
      client.write(packet);
      const [reply] = await client.packets(1);
      if (reply === undefined) expect(client.closed).toBe(true);
      else {
        expect(reply).toMatchObject({ id: 'id' });
        expect(reply.err).toBeDefined();
        await expectWell(client);
      }
      await expectWell(bystander);
    });

    it('as the data of an event, and as an event itself, harms nobody', async () => {
      const { port, notes } = await serveEcho({ loops });
      const client = await FramePeer.connect(port);
      client.write(`{"pattern":"note","data":${nested}}`, `{"pattern":"nobody","data":${nested}}`, nested);
      await expectWell(client);
      expect(notes).toHaveLength(1);
    });
  });

  describe('FAULTS 7: a hostile packet', () => {
    it.each([
      ['__proto__ in data', '{"pattern":"echo","data":{"__proto__":{"polluted":1}},"id":"id"}'],
      [
        'constructor in data',
        '{"pattern":"echo","data":{"constructor":{"prototype":{"polluted":1}}},"id":"id"}',
      ],
      ['__proto__ as key of the packet', '{"__proto__":{"polluted":1},"pattern":"echo","data":1,"id":"id"}'],
      ['__proto__ as pattern', '{"pattern":"__proto__","data":1,"id":"id"}'],
      ['constructor as pattern', '{"pattern":"constructor","data":1,"id":"id"}'],
      ['toString as pattern', '{"pattern":"toString","data":1,"id":"id"}'],
      ['__proto__ in a pattern', '{"pattern":{"__proto__":{"polluted":1}},"data":1,"id":"id"}'],
      ['a pattern with toJSON', '{"pattern":{"toJSON":1,"cmd":"echo"},"data":1,"id":"id"}'],
      ['a null pattern', '{"pattern":null,"data":1,"id":"id"}'],
      ['a number as pattern', '{"pattern":1e400,"data":1,"id":"id"}'],
      ['an array as pattern', '{"pattern":["echo"],"data":1,"id":"id"}'],
      ['true as pattern', '{"pattern":true,"data":1,"id":"id"}'],
      ['an empty pattern', '{"pattern":"","data":1,"id":"id"}'],
      ['no pattern', '{"data":1,"id":"id"}'],
      ['a pattern of a million letters', `{"pattern":"${'x'.repeat(1_000_000)}","data":1,"id":"id"}`],
      ['a pattern that looks like JSON', '{"pattern":"{\\"cmd\\":","data":1,"id":"id"}'],
      ['the name of an event of connections', '{"pattern":"gev:connect","data":1,"id":"id"}'],
      ['the name of an event of messages', '{"pattern":{"gev":"message"},"data":1,"id":"id"}'],
      ['a stray isDisposed', '{"pattern":"echo","data":1,"isDisposed":true,"id":"id"}'],
      ['the look of a reply', '{"response":1,"isDisposed":true,"id":"id"}'],
      ['keys twice', '{"pattern":"nobody","data":0,"pattern":"echo","data":1,"id":"other","id":"id"}'],
      ['no data', '{"pattern":"echo","id":"id"}'],
      [
        'a thousand keys',
        `{"pattern":"echo","data":1,${Array.from({ length: 1000 }, (_, i) => `"k${i}":${i}`).join()},"id":"id"}`,
      ],
    ])('%s is answered, and pollutes nothing', async (_, packet) => {
      const { port } = await serveEcho({ loops });
      const client = await FramePeer.connect(port);
      client.write(packet);
      const [reply] = await client.packets(1);
      expect(reply.id).toBe('id');
      expect(Object.keys(reply).sort()).toEqual(
        'err' in reply ? ['err', 'id', 'status'] : expect.arrayContaining(['id', 'isDisposed']),
      );
      if ('err' in reply) expect(reply).toMatchObject({ status: 'error', err: NO_HANDLER });
      await expectWell(client);
    });

    it.each([
      ['null', null],
      ['zero', 0],
      ['a number', 12.5],
      ['an empty string', ''],
      ['false', false],
      ['an object', { a: { b: [1] } }],
      ['an array', ['a', 1]],
      ['a string of 100,000 letters', 'é'.repeat(100_000)],
      ['quotes and backslashes', '"\\"},{"id":"1'],
      ['a line break', 'a\nb\u2028c\u0000'],
      ['a lone surrogate', '\ud83d'],
      ['__proto__', '__proto__'],
    ])('an id that is %s comes back as it is', async (_, id) => {
      const { port } = await serveEcho({ loops });
      const client = await FramePeer.connect(port);
      client.write(echo([1], id), { pattern: 'nobody', data: 1, id });
      const replies = await client.packets(2);
      expect(replies).toEqual(
        expect.arrayContaining([
          { response: [1], isDisposed: true, id },
          { id, status: 'error', err: NO_HANDLER },
        ]),
      );
      await expectWell(client);
    });

    it('an id that no double holds comes back as what JSON makes of it', async () => {
      const { port } = await serveEcho({ loops });
      const client = await FramePeer.connect(port);
      client.write(
        '{"pattern":"echo","data":1,"id":1e400}',
        '{"pattern":"echo","data":1,"id":{"__proto__":1}}',
      );
      expect(await client.packets(1)).toEqual([{ response: 1, isDisposed: true, id: null }]);
      await until(() => client.texts.length === 1);
      expect(client.texts.shift()).toBe('{"response":1,"isDisposed":true,"id":{"__proto__":1}}');
      await expectWell(client);
    });

    it('ids that are used twice are answered twice', async () => {
      const { port } = await serveEcho({ loops });
      const client = await FramePeer.connect(port);
      client.write(...Array.from({ length: 100 }, (_, number) => echo(number, 'same')));
      const replies = await client.packets(100);
      expect(replies.map(({ response }) => response as number)).toEqual(
        Array.from({ length: 100 }, (_, n) => n),
      );
      await expectWell(client);
    });

    it('of any shape is read as JSON.parse reads it, and answered or ends its own connection', async () => {
      const { port, notes } = await serveEcho({ loops });
      const bystander = await FramePeer.connect(port);
      const json = fc.json({ maxDepth: 3, noUnicodeString: false });
      const id = fc.oneof(
        fc.constantFrom('"id"', '"a-b_9"', '"é"', '"a\\"b"', '""', '0', 'null', '{"a":1}'),
        json,
      );
      const pattern = fc.oneof(
        fc.constantFrom(
          '"echo"',
          '{"cmd":"echo"}',
          '{ "cmd" : "echo" }',
          '"note"',
          '"e\\u0063ho"',
          '"nobody"',
          '"echo\\""',
        ),
        json,
      );
      const blank = fc.constantFrom('', '', '', ' ', '\n\t');
      const request = fc
        .tuple(
          pattern,
          fc.oneof(json, fc.constantFrom('', '1,"data":2', '1,"id":"x"', '{', '"}')),
          id,
          blank,
          blank,
        )
        .map(
          ([p, d, i, before, after]) =>
            `{${before}"pattern":${p},"data":${after}${d}${before},"id":${i}${after}}`,
        );
      await fc.assert(
        fc.asyncProperty(request, async (text) => {
          notes.length = 0;
          const client = await FramePeer.connect(port);
          client.write(text);
          let packet: any;
          try {
            packet = JSON.parse(text);
          } catch {
            await until(() => client.closed);
            expect(client.texts).toEqual([]);
            return;
          }
          const [reply] = await client.packets(1);
          const known = ['"echo"', '{"cmd":"echo"}'].includes(JSON.stringify(packet.pattern));
          const id = JSON.parse(JSON.stringify(packet.id)) as unknown;
          if (known)
            expect(reply).toEqual(
              JSON.parse(JSON.stringify({ response: packet.data, isDisposed: true, id })),
            );
          else if (packet.pattern !== 'note') expect(reply).toEqual({ id, status: 'error', err: NO_HANDLER });
          client.peer.socket.destroy();
        }),
        { numRuns: 200 },
      );
      await expectWell(bystander);
    });
  });

  describe('FAULTS 8: names chosen by peers', () => {
    const nasty = (number: number): string => `evil\n\u001b[31m[Nest] ERROR ${number}\r\u0007\u009b2J\u2028`;
    const clean = /^[\x20-\x7e\xa1-\u2027\u202a-\uffff]*$/;

    it('a flood of requests nobody handles: an error reply each, and no line in the log', async () => {
      const { port, lines } = await serveEcho({ loops });
      const client = await FramePeer.connect(port);
      const requests = Array.from({ length: 10_000 }, (_, number) => ({
        pattern: number % 2 === 0 ? nasty(number) : { cmd: nasty(number) },
        data: 1,
        id: String(number),
      }));
      client.write(...requests);
      const replies = await client.packets(requests.length);
      expect(replies).toEqual(requests.map(({ id }) => ({ id, status: 'error', err: NO_HANDLER })));
      expect(lines).toEqual([]);
      await expectWell(client);
    });

    it('a flood of events nobody handles: few lines in the log, each of them one line and escaped', async () => {
      const { port, lines } = await serveEcho({ loops });
      const client = await FramePeer.connect(port);
      const started = performance.now();
      for (let round = 0; round < 10; round++) {
        client.write(
          ...Array.from({ length: 1_000 }, (_, number) => ({ pattern: nasty(number).repeat(20), data: 1 })),
        );
        await expectWell(client);
      }
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.length).toBeLessThanOrEqual(1 + Math.ceil((performance.now() - started) / 1_000));
      for (const line of lines) {
        expect(line).toMatch(clean);
        expect(line.length).toBeLessThan(1_000);
      }
    });

    it.each([
      ['that is no JSON', `{"a":${nasty(1)}}`],
      ['that begins as no JSON', nasty(2)],
      ['with a control character in a string', '{"pattern":"a\u001b[2Jb"}'],
    ])('a frame %s: one escaped line in the log', async (_, packet) => {
      const { port, lines } = await serveEcho({ loops });
      const peers = await Promise.all(Array.from({ length: 20 }, () => FramePeer.connect(port)));
      for (const peer of peers) peer.write(packet);
      await until(() => peers.every(({ closed }) => closed));
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(clean);
      expect(lines[0]!.length).toBeLessThan(1_000);
    });
  });

  it('any bytes at all end their own connection at most', async () => {
    const { port } = await serveEcho({ loops });
    const bystander = await FramePeer.connect(port);
    const roll = random(11);
    const valid = frame(echo('é', 'x'));
    for (let round = 0; round < 100; round++) {
      const bytes = Buffer.concat(Array.from({ length: 4 }, () => valid));
      for (let flips = roll(4); flips >= 0; flips--) bytes[roll(bytes.length)] = roll(256);
      const client = await FramePeer.connect(port);
      client.peer.write(bytes);
      client.peer.socket.end();
      await until(() => client.closed);
    }
    await expectWell(bystander);
  });
});

function byId(left: { id: unknown }, right: { id: unknown }): number {
  return String(left.id) < String(right.id) ? -1 : 1;
}
