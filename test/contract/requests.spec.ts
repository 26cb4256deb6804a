import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import {
  Conn,
  custom,
  type GevCodec,
  type GevConnection,
  GevConnectionClosedError,
  GevConnectionLostError,
  GevError,
  GevRemoteError,
  GevTimeoutError,
  lengthField,
  line,
  nestJson,
  OnConnect,
  OnMessage,
  packets,
  type PacketsOptions,
  raw,
} from 'nestjs-gev';
import { Reactor, type ReactorHandler } from 'nestjs-gev/core';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { random } from '../kit/random.js';
import { type Handlers, serve, type Service } from '../kit/serve.js';
import { settled, until } from '../kit/until.js';

/** A minute: for answers that come. */
const LONG = { timeout: 60_000 };

interface Command {
  readonly name: string;
}

/** `?<id> <name>` asks, `!<id> <answer>` answers, `-<id> <error>` refuses, `X<id> …` fails; anything else is for handlers. */
const numbered = (options: Partial<PacketsOptions<string, object>> = {}): GevCodec =>
  packets<string>(line(), {
    read(text) {
      const [, kind, id, data] = /^([!X-])(\d+) (.*)$/.exec(text) ?? [];
      if (kind === '!') return { answers: Number(id), data };
      if (kind === 'X') return { answers: Number(id), error: new RangeError(data) };
      if (kind === '-') return { answers: Number(id), error: { refused: data } };
      return text.startsWith('event ') ? { pattern: 'event', data: text } : undefined;
    },
    write: () => undefined,
    request: (data, id) => `?${id} ${(data as Command).name}`,
    ...options,
  });

/** A word and its arguments are a packet; what begins with `>` is none. */
const worded = (): GevCodec =>
  packets<string>(line(), {
    read: (text) => (text.startsWith('>') ? undefined : { pattern: text.split(' ')[0]!, data: text }),
    write: ({ data }) => `= ${String(data)}`,
  });

/** A server, one connection of it, and its peer, which reads lines. */
async function talk(
  loops: number,
  codec: GevCodec,
  handlers: Parameters<typeof serve>[1] = {},
): Promise<{ service: Service; connection: GevConnection; peer: Peer; lines: () => string[] }> {
  const service = await serve({ loops, codec }, handlers);
  const peer = await Peer.connect(service.port);
  let text = '';
  peer.socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  peer.socket.resume();
  const connection = await service.connection();
  return { service, connection, peer, lines: () => text.split('\n').slice(0, -1) };
}

/** Has what it settles with at once, for requests that may fail before anybody looks. */
function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => value,
    (error: unknown) => error,
  );
}

const failure = (code: string, message: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });

describe.each([0, 2])('requests to a peer on %i loops', (loops) => {
  it('C11: the frames that follow answer requests in their order, and go to no handler', async () => {
    const handled: unknown[] = [];
    const { connection, peer, lines } = await talk(loops, line(), {
      message: (frame) => void handled.push(frame),
    });
    peer.write('before\n');
    await until(() => handled.length === 1);
    const answers = [connection.request('one', LONG), connection.request<string>('two', LONG)];
    await until(() => lines().length === 2);
    peer.write('first\nsecond\nafter\n');
    expect(await Promise.all(answers)).toEqual(['first', 'second']);
    await until(() => handled.length === 2);
    expect([lines(), handled]).toEqual([
      ['one', 'two'],
      ['before', 'after'],
    ]);
  });

  it('C11: with packets(), only frames that are no packet answer in order', async () => {
    const handled: unknown[] = [];
    @Controller()
    class Words {
      @MessagePattern('add')
      add(@Payload() text: string): number {
        return text.length;
      }

      @EventPattern('position')
      position(@Payload() text: string): void {
        handled.push(text);
      }

      @OnMessage()
      message(@Payload() text: string): void {
        handled.push(text);
      }
    }
    const { connection, peer, lines } = await talk(loops, worded(), { controllers: [Words] });
    const answer = connection.request('status', LONG);
    await until(() => lines().length === 1);
    peer.write('position 1\nadd it\n> answer\n> other\n');
    expect(await answer).toBe('> answer');
    await until(() => handled.length === 2 && lines().length === 2);
    expect([lines(), handled]).toEqual([
      ['status', '= 6'],
      ['position 1', '> other'],
    ]);
  });

  it('C11: with ids, answers may come in any order, as errors too', async () => {
    const handled: unknown[] = [];
    const { connection, peer, lines } = await talk(loops, numbered(), {
      message: (frame) => void handled.push(frame),
    });
    const answers = ['a', 'b', 'c', 'd'].map((name) => outcome(connection.request({ name }, LONG)));
    await until(() => lines().length === 4);
    expect(lines()).toEqual(['?1 a', '?2 b', '?3 c', '?4 d']);
    peer.write('!3 C\nhello\nX4 too far\n!1 A\n-2 busy\n');
    expect(await Promise.all(answers)).toEqual([
      'A',
      expect.any(GevRemoteError),
      'C',
      new RangeError('too far'),
    ]);
    expect(await answers[1]).toMatchObject({ code: 'ERR_GEV_REMOTE', data: { refused: 'busy' } });
    await until(() => handled.length === 1);
    expect(handled).toEqual(['hello']);
  });

  it('C11: with match, the first frame that matches is the answer, whatever the codec', async () => {
    const handled: unknown[] = [];
    const message: Handlers['message'] = (frame) => void handled.push(String(frame));
    for (const codec of [line(), numbered(), raw(), raw({ copy: false })]) {
      const { connection, peer, lines } = await talk(loops, codec, { message });
      const asked = codec.framing.kind === 'raw' ? 'ask\n' : 'ask';
      const match = (frame: string | Uint8Array): boolean => /ok \d/.test(String(frame));
      const answer = connection.request(asked, { ...LONG, match });
      await until(() => lines().length === 1);
      peer.write('no\n');
      await until(() => handled.length === 1);
      peer.write('ok 1\n');
      expect(String(await answer).trim()).toBe('ok 1');
      peer.write('ok 2\n');
      await until(() => handled.length === 2);
      expect(handled.splice(0).map((text) => String(text).trim())).toEqual(['no', 'ok 2']);
    }
  });

  it('C11: with match, the text of a frame of nestJson() is no packet for handlers', async () => {
    const handled: unknown[] = [];
    @Controller()
    class Events {
      @EventPattern('event')
      event(@Payload() data: number): void {
        handled.push(data);
      }
    }
    const { connection, peer } = await talk(loops, nestJson(), { controllers: [Events] });
    const match = (text: unknown): boolean => String(text).includes('"data":2');
    const answer = connection.request('{"pattern":"ask"}', { ...LONG, match });
    const frame = (data: number): string => {
      const text = JSON.stringify({ pattern: 'event', data });
      return `${text.length}#${text}`;
    };
    await until(() => connection.messagesSent === 1);
    peer.write(frame(1) + frame(2) + frame(3));
    expect(JSON.parse(String(await answer))).toEqual({ pattern: 'event', data: 2 });
    await until(() => handled.length === 2);
    expect(handled).toEqual([1, 3]);
  });

  it('C11: a frame of custom() answers as it is', async () => {
    interface Frame {
      readonly byte: number;
    }
    const codec = custom<Frame>({
      open: () => ({
        *decode(chunk) {
          for (const byte of chunk) yield { byte };
        },
        encode: ({ byte }) => Buffer.from([byte]),
      }),
    });
    const { connection, peer } = await talk(loops, codec);
    const answer = connection.request<Frame>({ byte: 7 }, LONG);
    await until(() => connection.messagesSent === 1);
    peer.write(Buffer.from([8]));
    expect(await answer).toEqual({ byte: 8 });
  });

  it.each([
    ['in order', worded(), (id: number) => `> ${id}`],
    ['by id', numbered({ request: (data, id) => `?${id} ${String(data)}` }), (id: number) => `!${id} ${id}`],
  ])(
    'C11: the answer overtakes messages that wait for the handler that awaits it, %s',
    async (_, codec, answerTo) => {
      const handled: string[] = [];
      @Controller()
      class Slow {
        @MessagePattern('event')
        async event(@Payload() text: string, @Conn() connection: GevConnection): Promise<void> {
          handled.push(`${text}: ${String(await connection.request('more', LONG))}`);
        }

        @OnMessage()
        async message(@Payload() text: string, @Conn() connection: GevConnection): Promise<void> {
          handled.push(`${text}: ${String(await connection.request('more', LONG))}`);
        }
      }
      const { peer, lines } = await talk(loops, codec, { controllers: [Slow] });
      for (const text of ['event 1\nevent 2\nevent 3\n']) peer.write(text);
      for (let id = 1; id <= 3; id++) {
        await until(() => lines().filter((text) => text.includes('more')).length === id);
        peer.write(`${answerTo(id)}\n`);
        await until(() => handled.length === id);
      }
      expect(handled).toEqual(
        [1, 2, 3].map((id) => expect.stringMatching(new RegExp(`^event ${id}: .*${id}$`))),
      );
    },
  );

  it.each(['before', 'after'])(
    'C11: an answer behind more messages than a queue takes comes, where they came %s the request was made',
    async (when) => {
      let open = (): void => undefined;
      const gate = new Promise<void>((resolve) => (open = resolve));
      const outcomes: unknown[] = [];
      let handled = 0;
      const { connection, peer, lines } = await talk(loops, line(), {
        async message(_, conn) {
          if (handled++ > 0) return;
          await gate;
          const match = (frame: unknown): boolean => frame === 'answer';
          outcomes.push(await outcome(conn.request('more', { timeout: 20_000, match })));
        },
      });
      const count = 3_000;
      const messages = (): void => {
        for (let index = 0; index < count; index++) peer.write(`message ${index}\n`);
      };
      if (when === 'after') {
        open();
        peer.write('message\n');
      } else messages();
      await until(() => handled === 1);
      await settled(() => connection.messagesReceived, 100);
      open();
      await until(() => lines().length === 1);
      if (when === 'after') messages();
      peer.write('answer\n');
      await until(() => outcomes.length === 1, 'the answer', 25_000);
      expect(outcomes).toEqual(['answer']);
      await until(() => handled >= count);
    },
  );

  it('C11: a late answer is not taken for that of another request, and is counted and logged once', async () => {
    for (const [codec, late, next] of [
      [line(), 'late', 'next'],
      [numbered(), '!1 late', '!2 next'],
    ] as const) {
      const handled: unknown[] = [];
      const { service, connection, peer, lines } = await talk(loops, codec, {
        message: (frame) => void handled.push(frame),
      });
      const data = (name: string): string | Command => (codec.packets ? { name } : name);
      const error = await outcome(connection.request(data('slow'), { timeout: 200 }));
      expect(error).toBeInstanceOf(GevTimeoutError);
      expect(error).toEqual(failure('ERR_GEV_TIMEOUT', 'No answer from 127.0.0.1:'));
      const answer = connection.request(data('quick'), LONG);
      await until(() => lines().length === 2);
      peer.write(`${late}\n`);
      await until(() => service.server.stats().droppedAnswers === 1);
      peer.write(`${next}\n`);
      expect(await answer).toBe('next');
      if (codec.packets) {
        peer.write('!1 again\n!77 unknown\n');
        await until(() => service.server.stats().droppedAnswers === 3);
      }
      expect(handled).toEqual([]);
      expect(service.lines.filter((text) => text.includes('was dropped'))).toHaveLength(1);
    }
  });

  it('C11: an answer that did not come in twice the time does not hold a place any more', async () => {
    const handled: unknown[] = [];
    const { connection, peer } = await talk(loops, line(), { message: (frame) => void handled.push(frame) });
    await outcome(connection.request('never', { timeout: 20 }));
    await until(async () => {
      await sleep(50);
      peer.write('push\n');
      return handled.length > 0;
    });
    const answer = connection.request('now', LONG);
    await settled(() => connection.messagesReceived, 100);
    const received = connection.messagesReceived;
    if (handled.length < received) return; // the pushes that were on their way were taken for the answer
    peer.write('answer\n');
    expect(await answer).toBe('answer');
  });

  const ends: [string, string, (peer: Peer, connection: GevConnection, service: Service) => unknown][] = [
    ['the peer says FIN', 'peer', (peer) => peer.socket.end()],
    ['the peer resets it', 'reset', (peer) => peer.reset()],
    ['it is closed', 'local', (_, connection) => connection.close()],
    ['it is destroyed', 'local', (_, connection) => connection.destroy()],
    ['it is idle', 'idle', (_, connection) => connection.setIdleTimeout(50)],
    ['the peer sends what is no frame', 'peer', (peer) => peer.write('x'.repeat(2_000))],
    ['the server stops', 'shutdown', (_, __, service) => service.close()],
  ];
  it.each(ends)('C11: requests fail once, typed, when %s', async (_, reason, end) => {
    const { service, connection, peer } = await talk(loops, line({ maxLength: 1_000 }));
    const settlements: unknown[] = [];
    const match = (): boolean => false;
    const requests = [{ timeout: 0 }, { timeout: 0 }, { timeout: 0, match }].map((options) =>
      connection.request('ask', options).then(
        () => settlements.push('answered'),
        (error: unknown) => settlements.push(error),
      ),
    );
    const unsent = outcome(connection.request('alone', { exclusive: true }));
    await until(() => connection.bufferedBytes === 0);
    const endpoint = `127.0.0.1:${peer.port}`;
    void end(peer, connection, service);
    await Promise.all(requests);
    expect(settlements).toEqual([1, 2, 3].map(() => expect.any(GevConnectionLostError)));
    expect(settlements[0]).toMatchObject({ reason, endpoint });
    expect(await unsent).toBeInstanceOf(GevConnectionClosedError);
    const sent = connection.messagesSent;
    expect(await outcome(connection.request('again'))).toBeInstanceOf(GevConnectionClosedError);
    await until(() => connection.state === 'closed');
    expect(await outcome(connection.request('again'))).toBeInstanceOf(GevConnectionClosedError);
    expect([connection.messagesSent, settlements.length]).toEqual([sent, 3]);
  });

  it('C11: a server that stops does not wait for what nobody will read', async () => {
    let asked = false;
    let failed: unknown;
    const { service, peer } = await talk(loops, line(), {
      message: async (_, connection) => {
        asked = true;
        failed = await outcome(connection.request('more', { timeout: 0 }));
        return 'bye';
      },
    });
    peer.write('hello\n');
    await until(() => asked);
    await service.close();
    expect(failed).toMatchObject({ code: 'ERR_GEV_CONNECTION_LOST', reason: 'shutdown' });
  });

  it('C11: a match that throws, or returns a promise, ends its own request only', async () => {
    const { connection, peer } = await talk(loops, line());
    const bad = (match: () => unknown): Promise<unknown> =>
      outcome(connection.request('bad', { ...LONG, match: match as () => boolean }));
    const failures = [
      bad(() => {
        throw new Error('no match');
      }),
      bad(() => Promise.reject(new Error('too late'))),
    ];
    const answer = connection.request('good', { ...LONG, match: () => true });
    await until(() => connection.messagesSent === 3);
    peer.write('answer\n');
    expect(await answer).toBe('answer');
    expect(await Promise.all(failures)).toEqual([
      failure('ERR_GEV_HANDLER', 'no match'),
      failure('ERR_GEV_HANDLER', 'returned a promise'),
    ]);
  });

  it('C11: where nothing tells an answer, nothing is sent', async () => {
    for (const [codec, remedy] of [
      [raw(), 'a codec that frames'],
      [nestJson(), 'GevClient'],
    ] as const) {
      const { connection } = await talk(loops, codec);
      expect(await outcome(connection.request('{}'))).toEqual(failure('ERR_GEV_INVALID_OPTION', remedy));
      expect(connection.messagesSent).toBe(0);
    }
  });

  it('C11: options that make no sense are refused, and what cannot be sent is not waited for', async () => {
    const { connection } = await talk(loops, line({ maxLength: 10 }));
    const bad = [{ timeout: -1 }, { match: 'x' }, { exclusive: 1 }, { signal: {} }, { timeuot: 1 }, 5];
    for (const options of bad) {
      const error = await outcome(connection.request('x', options as object));
      expect(error).toEqual(failure('ERR_GEV_INVALID_OPTION', ''));
    }
    expect(await outcome(connection.request({}))).toEqual(failure('ERR_GEV_HANDLER', 'cannot be sent'));
    expect(await outcome(connection.request('x'.repeat(11)))).toEqual(failure('ERR_GEV_FRAME_TOO_LONG', ''));
    expect(connection.messagesSent).toBe(0);
  });

  it('C11: a request is given up when its signal aborts, and its place stays', async () => {
    const { connection, peer, lines } = await talk(loops, line());
    const controller = new AbortController();
    const { signal } = controller;
    const given = outcome(connection.request('first', { ...LONG, signal }));
    const answer = connection.request('second', LONG);
    controller.abort(new Error('changed my mind'));
    expect(await given).toMatchObject({ code: 'ERR_GEV_ABORTED', cause: new Error('changed my mind') });
    expect(await outcome(connection.request('third', { signal }))).toMatchObject({ code: 'ERR_GEV_ABORTED' });
    await until(() => lines().length === 2);
    peer.write('1\n2\n');
    expect(await answer).toBe('2');
    expect(lines()).toEqual(['first', 'second']);
  });

  it('C11: an exclusive request waits until nothing is in flight, and others wait for it', async () => {
    const { connection, peer, lines } = await talk(loops, line());
    const store = new AsyncLocalStorage<string>();
    const answers = [
      connection.request('1', LONG),
      connection.request('2', { ...LONG, exclusive: true }),
      store.run('third', () => connection.request('3', LONG)),
      connection.request('4', LONG),
      connection.request('5', { ...LONG, exclusive: true }),
    ];
    const controller = new AbortController();
    const aborted = outcome(connection.request('6', { signal: controller.signal }));
    controller.abort();
    expect(await aborted).toMatchObject({ code: 'ERR_GEV_ABORTED' });
    const seen: string[][] = [];
    for (const expected of [1, 2, 4]) {
      await until(() => lines().length === expected);
      await settled(() => lines().length, 50);
      seen.push(lines());
      const count = expected === 4 ? 2 : 1;
      for (let index = 0; index < count; index++) peer.write(`answer\n`);
    }
    await until(() => lines().length === 5);
    peer.write('answer\n');
    await Promise.all(answers);
    expect(seen).toEqual([['1'], ['1', '2'], ['1', '2', '3', '4']]);
    expect(lines()).toEqual(['1', '2', '3', '4', '5']);
  });

  it('C11: an exclusive request outlives what is closed or refused before its turn', async () => {
    const { connection, peer, lines } = await talk(loops, line({ maxLength: 10 }));
    const first = connection.request('1', LONG);
    const tooLong = outcome(connection.request('x'.repeat(11), { exclusive: true }));
    const next = connection.request('2', { ...LONG, exclusive: true });
    await until(() => lines().length === 1);
    peer.write('one\n');
    expect(await first).toBe('one');
    expect(await tooLong).toEqual(failure('ERR_GEV_FRAME_TOO_LONG', ''));
    await until(() => lines().length === 2);
    peer.write('two\n');
    expect(await next).toBe('two');
  });

  it('C11: ids wrap within the range of the format, and skip those in flight', async () => {
    const { connection, peer, lines } = await talk(loops, numbered({ requestIds: [1, 3] }));
    const ask = (name: string): Promise<unknown> => outcome(connection.request({ name }, LONG));
    const [a, b, c] = [ask('a'), ask('b'), ask('c')];
    expect(await ask('d')).toEqual(failure('ERR_GEV_OVERLOADED', 'all there may be'));
    await until(() => lines().length === 3);
    peer.write('!2 B\n');
    expect(await b).toBe('B');
    const e = ask('e');
    await until(() => lines().length === 4);
    peer.write('!1 A\n');
    expect(await a).toBe('A');
    const f = ask('f');
    await until(() => lines().length === 5);
    peer.write('!3 C\n!2 E\n!1 F\n');
    expect(await Promise.all([c, e, f])).toEqual(['C', 'E', 'F']);
    expect(lines()).toEqual(['?1 a', '?2 b', '?3 c', '?2 e', '?1 f']);
  });

  it('C11: each request gets its own answer or fails, whichever order answers come in, late ones too', async () => {
    const pick = random(loops + 1);
    const { service, connection, peer, lines } = await talk(loops, numbered({ requestIds: [0, 15] }));
    let answered = 0;
    let inFlight = 0;
    const wrong: unknown[] = [];
    const owed: string[] = [];
    let read = 0;
    const reply = (): void => {
      for (const text of lines().slice(read)) {
        read++;
        const [, id, name] = /^\?(\d+) (.*)$/.exec(text)!;
        owed.push(`!${id} ${name}\n`);
      }
      for (let count = pick(owed.length + 1); count > 0; count--) {
        peer.write(owed.splice(pick(owed.length), 1)[0]!);
      }
    };
    for (let index = 0; index < 400; index++) {
      const name = `n${index}`;
      inFlight++;
      // Some are given up before their answer comes, and their ids come up again.
      void outcome(
        connection.request(
          { name },
          {
            timeout: pick(3) === 0 ? 1_000 : 60_000,
            signal: pick(4) === 0 ? AbortSignal.timeout(1 + pick(5)) : undefined,
          },
        ),
      ).then((result) => {
        inFlight--;
        if (result === name) answered++;
        else if (!(result instanceof GevError)) wrong.push([name, result]);
      });
      if (pick(3) === 0) await sleep(1);
      reply();
    }
    await until(() => {
      reply();
      return inFlight === 0;
    });
    expect(wrong).toEqual([]);
    expect(answered).toBeGreaterThan(50);
    await until(() => {
      reply();
      return connection.messagesReceived === read;
    });
    expect(answered + service.server.stats().droppedAnswers).toBe(read);
  });

  it('C11: works on connections of a reactor, accepted and dialled', async () => {
    for (const [codec, question, answer] of [
      [line(), 'hello', 'HELLO'],
      [lengthField(), 'hello', Buffer.from('HELLO')],
      [numbered(), { name: 'hello' }, '1 HELLO'],
    ] as const) {
      const seen: unknown[] = [];
      const handler: ReactorHandler = {
        onOpen: () => undefined,
        onMessage(connection, data) {
          seen.push(data);
          reply(connection, data);
        },
        onText(connection, text) {
          seen.push(text);
          reply(connection, text);
        },
        onEnd: (connection) => connection.close(),
        onClose: () => undefined,
        onError: () => undefined,
      };
      const reply = (connection: GevConnection, data: Buffer | string): void => {
        const text = data.toString().toUpperCase();
        connection.send(codec.packets ? text.replace(/^\?(\d+)/, '!$1 $1') : text);
      };
      const reactor = new Reactor({ loops, codec, host: '127.0.0.1', port: 0 }, handler);
      onCleanup(() => reactor.stop());
      const { port } = (await reactor.listen()) as { port: number };
      const dialled = await reactor.dial({ host: '127.0.0.1', port }, 10_000);
      await until(() => reactor.connections.size === 2);
      const accepted = [...reactor.connections.values()].find((connection) => connection !== dialled)!;
      expect(await dialled.request(question, LONG)).toEqual(answer);
      expect(await accepted.request(question, LONG)).toEqual(answer);
      expect(seen.map(String)).toEqual(codec.packets ? ['?1 hello', '?1 hello'] : ['hello', 'hello']);
      if (codec.packets) {
        accepted.send('!1 late');
        await until(() => reactor.stats().droppedAnswers === 1);
        expect(seen).toHaveLength(2);
      }
    }
  });

  it('C11: in @OnConnect handlers an answer cannot be awaited, and the error says so; one that is not awaited comes', async () => {
    const outcomes: unknown[] = [];
    @Controller()
    class Greeting {
      @OnConnect()
      async greet(@Conn() connection: GevConnection): Promise<void> {
        void connection.request('who', LONG).then((answer) => outcomes.push(answer));
        outcomes.push(await outcome(connection.request('what', { timeout: 50 })));
      }
    }
    const { peer } = await talk(loops, line(), { controllers: [Greeting] });
    peer.write('me\n');
    await until(() => outcomes.length === 2);
    expect(outcomes).toEqual([failure('ERR_GEV_TIMEOUT', '@OnConnect'), 'me']);
  });

  it('C11 X1: match runs in the context of its request, and leaves nothing in that of the frame', async () => {
    const store = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const { connection, peer } = await talk(loops, line(), {
      message: () => void seen.push(['handler', store.getStore()]),
    });
    const ask = (user: string): Promise<void> =>
      store.run(user, async () => {
        await connection.request(user, {
          ...LONG,
          match: (frame) => {
            seen.push([user, store.getStore()]);
            store.enterWith('a leak');
            return frame === user;
          },
        });
        seen.push(['caller', store.getStore()]);
      });
    const asked = ask('Ada');
    await until(() => connection.messagesSent === 1);
    peer.write('hello\nAda\nbye\n');
    await asked;
    await until(() => seen.length === 5);
    expect(seen).toEqual(
      expect.arrayContaining([
        ['Ada', 'Ada'],
        ['handler', undefined],
        ['caller', 'Ada'],
      ]),
    );
    expect(JSON.stringify(seen)).not.toContain('a leak');
  });

  it('C11 U1: what a match does while frames come in harms nobody', async () => {
    const handled: unknown[] = [];
    const { connection, peer } = await talk(loops, line(), { message: (frame) => void handled.push(frame) });
    const outcomes: unknown[] = [];
    const ask = (options: object): void =>
      void outcome(connection.request('x', { ...LONG, ...options })).then((result) => outcomes.push(result));
    const controller = new AbortController();
    ask({
      match: () => {
        if (!controller.signal.aborted) ask({ match: () => true }); // not for the frame that is being looked at
        controller.abort();
        return false;
      },
    });
    ask({ match: () => true, signal: controller.signal });
    await until(() => connection.messagesSent === 2);
    peer.write('one\n');
    await until(() => outcomes.length === 1);
    expect(outcomes).toEqual([expect.objectContaining({ code: 'ERR_GEV_ABORTED' })]);
    peer.write('two\n');
    await until(() => outcomes.length === 2);
    expect(outcomes[1]).toBe('two');
    ask({
      match: () => {
        connection.destroy();
        return true;
      },
    });
    peer.write('three\n');
    await until(() => connection.state === 'closed');
    await until(() => outcomes.length === 4);
    expect(handled).toEqual([]);
  });

  it('C11 U1: what the format does while it makes the frame of a request harms nobody', async () => {
    const controller = new AbortController();
    const nested: Promise<unknown>[] = [];
    const doing: Record<string, () => void> = {
      abort: () => controller.abort(),
      throw: () => {
        controller.abort();
        throw new Error('no such command');
      },
      ask: () => void nested.push(outcome(connection.request({ name: 'nested' }, LONG))),
      close: () => connection.close(),
    };
    const codec = numbered({
      request(data, id) {
        doing[(data as Command).name]?.();
        return `?${id} ${(data as Command).name}`;
      },
    });
    const { connection, peer, lines } = await talk(loops, codec);
    const { signal } = controller;
    const ask = (name: string, options: object = {}): Promise<unknown> =>
      outcome(connection.request({ name }, { ...LONG, ...options }));
    expect(await ask('abort', { signal })).toMatchObject({ code: 'ERR_GEV_ABORTED' });
    expect(await ask('throw')).toEqual(new Error('no such command'));
    const outer = ask('ask', { exclusive: true }); // alone, so when what was given up has its answer
    await until(() => lines().length === 1);
    peer.write('!1 late\n');
    await until(() => lines().length === 2);
    peer.write('!3 outer\n');
    expect(await outer).toBe('outer');
    await until(() => lines().length === 3);
    peer.write('!4 inner\n');
    expect(await nested[0]).toBe('inner');
    expect(lines()).toEqual(['?1 abort', '?3 ask', '?4 nested']);
    const waits = ask('wait');
    expect(await ask('close')).toBeInstanceOf(GevError);
    expect(await waits).toMatchObject({ code: 'ERR_GEV_CONNECTION_LOST', reason: 'local' });
  });

  it('C11: a request made in a close handler, or of a closed connection, is refused', async () => {
    const outcomes: unknown[] = [];
    const { connection, peer } = await talk(loops, line(), {
      close: async (_, closed) => outcomes.push(await outcome(closed.request('late'))),
    });
    void connection.request('ask', LONG).catch(() => {
      void outcome(connection.request('again')).then((result) => outcomes.push(result));
    });
    peer.reset();
    await until(() => outcomes.length === 2);
    expect(outcomes).toEqual([expect.any(GevConnectionClosedError), expect.any(GevConnectionClosedError)]);
  });

  it('C11: subscribers of messages$ see answers, too', async () => {
    const { connection, peer } = await talk(loops, line());
    const seen: unknown[] = [];
    connection.messages$.subscribe((frame) => {
      seen.push(frame);
      if (seen.length === 1)
        void connection.request('more', LONG).then((answer) => seen.push(['answer', answer]));
    });
    peer.write('1\n2\n');
    await until(() => seen.length === 3);
    expect(seen).toEqual(expect.arrayContaining(['1', '2', ['answer', '2']]));
  });

  it('C11 P1: frames of custom() are sent, asked for and broadcast without a cast, and what is none does not compile', async () => {
    interface Frame {
      readonly byte: number;
    }
    type Device = GevConnection<{ name?: string }, Frame>;
    const codec = custom<Frame>({
      open: () => ({
        *decode(chunk) {
          for (const byte of chunk) yield { byte };
        },
        encode: ({ byte }) => Buffer.from([byte]),
      }),
    });
    const seen: number[] = [];
    @Controller()
    class Devices {
      @OnMessage()
      async message(@Payload() { byte }: Frame, @Conn() conn: Device): Promise<Frame | undefined> {
        if (byte !== 1) return undefined;
        conn.data.name = 'one';
        conn.messages$.subscribe((frame) => seen.push(frame.byte));
        conn.send({ byte: 2 });
        conn.trySend({ byte: 3 });
        await conn.sendAsync({ byte: 4 });
        const answer = await conn.request({ byte: 5 }, { ...LONG, match: (frame) => frame.byte === 50 });
        return { byte: answer.byte + 1 };
      }
    }
    const { service, peer } = await talk(loops, codec, { controllers: [Devices] });
    const got: number[] = [];
    peer.socket.on('data', (chunk: Buffer) => got.push(...chunk));
    peer.write(Buffer.from([1]));
    await until(() => got.includes(5));
    peer.write(Buffer.from([7, 50]));
    await until(() => got.includes(51));
    service.server.broadcast({ byte: 6 }, ({ data }: Device) => data.name === 'one');
    service.server.broadcast({ byte: 8 }, new Set<Device>(service.server as Iterable<never>));
    await until(() => got.includes(8));
    expect([got, seen]).toEqual([
      [2, 3, 4, 5, 51, 6, 8],
      [7, 50],
    ]);
    const untaken = (conn: Device, plain: GevConnection): void => {
      // @ts-expect-error text is no frame of this framing
      conn.send('text');
      // @ts-expect-error nor is it one for all of them
      service.server.broadcast('text', [conn]);
      // @ts-expect-error a number is no data
      service.server.broadcast(5);
      // @ts-expect-error nor is it for one
      plain.send(5);
    };
    expect(untaken).toBeDefined();
  });
});
