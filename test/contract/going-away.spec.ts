import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { type GevContext, raw } from 'nestjs-gev';
import { firstValueFrom, interval, map, type Observable, Subject } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { nestClient, RpcPeer, serveRpc } from '../kit/rpc.js';
import { serve, type Service } from '../kit/serve.js';
import { eventually, pause, settled, until } from '../kit/until.js';

const GO_AWAY = { pattern: 'gev:goaway', data: {} };
const SHUTDOWN = { status: 'error', message: 'The server is shutting down' };
const MiB = 1024 * 1024;

let begun: string[] = [];
let release: (() => void)[] = [];
let ends: string[] = [];
let late: Observable<string>;

@Controller()
class Work {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('held')
  async held(@Payload() data: string): Promise<string> {
    begun.push(data);
    await new Promise<void>((resolve) => release.push(resolve));
    return data;
  }

  @MessagePattern('slow')
  async slow(@Payload() data: string): Promise<string> {
    begun.push(data);
    await pause(30);
    return data;
  }

  @MessagePattern('ticks')
  ticks(@Payload() every: number, @Ctx() { signal }: GevContext): Observable<number> {
    begun.push('ticks');
    signal.addEventListener('abort', () => ends.push((signal.reason as { end: string }).end));
    return interval(every);
  }

  @MessagePattern('late')
  late(): Observable<string> {
    begun.push('late');
    return late;
  }

  @EventPattern('noted')
  note(@Payload() data: string): void {
    begun.push(data);
  }
}

/** Closes the service, and tells whether and when it has. */
function closing(service: Service): { done: boolean; readonly took: number } {
  const began = performance.now();
  const state = { done: false, took: 0 };
  void service.close().then(() => Object.assign(state, { done: true, took: performance.now() - began }));
  return state;
}

describe.each([0, 2])('going away on %i loops', (loops) => {
  const start = (options = {}): Promise<Service> => {
    [begun, release, ends] = [[], [], []];
    return serveRpc({ loops, ...options }, Work);
  };

  it('D2: every connection is told, and what comes afterwards is answered', async () => {
    const service = await start();
    const peers = await Promise.all([1, 2, 3].map(() => RpcPeer.connect(service.port)));
    peers[0]!.send({ pattern: 'held', data: 'first', id: 1 });
    await until(() => begun.length === 1 && service.server.connections.size === 3);
    const closed = closing(service);
    await until(() => peers.every(({ packets }) => packets.length > 0));
    for (const { packets } of peers) expect(packets).toEqual([GO_AWAY]);
    peers[0]!.send({ pattern: 'echo', data: 'late', id: 2 });
    expect(await peers[0]!.all(2)).toEqual([{ response: 'late', isDisposed: true, id: 2 }]);
    release[0]!();
    expect(await peers[0]!.all(1)).toEqual([{ response: 'first', isDisposed: true, id: 1 }]);
    await until(() => closed.done);
    for (const { peer } of peers) {
      await until(() => peer.closed);
      expect(peer.events).toEqual(['end', 'close']);
    }
  });

  it('D2: a peer that ends is let go at once, with what it is owed', async () => {
    const service = await start({ drainTimeout: 60_000 });
    const peer = await RpcPeer.connect(service.port, { allowHalfOpen: true });
    peer.send({ pattern: 'held', data: 'x', id: 1 });
    await until(() => begun.length === 1);
    const closed = closing(service);
    await until(() => peer.packets.length > 0);
    peer.send({ pattern: 'noted', data: 'event' }, { pattern: 'echo', data: 1, id: 2 }).peer.socket.end();
    await until(() => peer.of(2).length > 0);
    expect(peer.peer.ended).toBe(false);
    release[0]!();
    await until(() => closed.done);
    expect(peer.packets).toEqual([
      GO_AWAY,
      { response: 1, isDisposed: true, id: 2 },
      { response: 'x', isDisposed: true, id: 1 },
    ]);
    expect(begun).toEqual(['x', 'event']);
    await until(() => peer.peer.closed);
    expect(peer.peer.events).toEqual(['end', 'close']);
  });

  it('D2: FIN comes 500 ms after the last thing received, not before', async () => {
    const service = await start({ drainTimeout: 60_000 });
    const peer = await RpcPeer.connect(service.port);
    await service.connection();
    const closed = closing(service);
    await until(() => peer.packets.length > 0);
    let sent = performance.now();
    for (let id = 0; id < 5; id++) {
      sent = performance.now();
      peer.send({ pattern: 'echo', data: id, id });
      await pause(150);
    }
    await until(() => peer.peer.ended);
    const quiet = performance.now() - sent;
    await until(() => closed.done);
    // Where this process was held up for so long the server could not know better.
    if (peer.packets.length === 6) expect(quiet).toBeGreaterThanOrEqual(499);
    expect(peer.peer.events).toEqual(['end', 'close']);
  });

  it('D2: shortly before drainTimeout a peer that is never quiet hears FIN as soon as it is owed nothing', async () => {
    const service = await start({ drainTimeout: 2_000 });
    const peer = await RpcPeer.connect(service.port);
    await service.connection();
    let id = 0;
    const timer = setInterval(() => peer.send({ pattern: 'echo', data: 1, id: ++id }), 20);
    onCleanup(() => clearInterval(timer));
    const closed = closing(service);
    await until(() => closed.done, 'it ends at drainTimeout', 10_000);
    clearInterval(timer);
    expect(closed.took).toBeGreaterThanOrEqual(1_799);
    await until(() => peer.peer.closed);
    const answered = peer.packets.filter((packet) => packet.id !== undefined);
    expect(answered.map((packet) => packet.id)).toEqual(answered.map((_, index) => index + 1));
    expect(answered.every((packet) => packet.response === 1)).toBe(true);
  });

  it('D2: from one that is always owed something nothing is read at last, and what was read is answered', async () => {
    await eventually(3, async () => {
      const service = await start({ drainTimeout: 3_000 });
      const peer = await RpcPeer.connect(service.port);
      let id = 0;
      const timer = setInterval(() => peer.send({ pattern: 'slow', data: 'x', id: ++id }), 5);
      onCleanup(() => clearInterval(timer));
      await until(() => begun.length > 0);
      await service.close();
      clearInterval(timer);
      await until(() => peer.peer.closed);
      expect(peer.packets.filter(({ err }) => err !== undefined)).toEqual([]);
      expect(peer.packets.filter(({ response }) => response === 'x').length).toBe(begun.length);
      expect(begun.length).toBeLessThan(id);
    });
  });

  it('D2: so it is at maxConnectionAge: what was read is answered, and nothing is read at last', async () => {
    await eventually(3, async () => {
      const service = await start({ drainTimeout: 3_000, maxConnectionAge: 100 });
      const peer = await RpcPeer.connect(service.port);
      const connection = await service.connection();
      let id = 0;
      const timer = setInterval(() => peer.send({ pattern: 'slow', data: 'x', id: ++id }), 5);
      onCleanup(() => clearInterval(timer));
      await until(() => connection.closeReason !== undefined);
      clearInterval(timer);
      await until(() => peer.peer.closed);
      expect(peer.packets.filter(({ err }) => err !== undefined)).toEqual([]);
      expect(peer.packets.filter(({ response }) => response === 'x').length).toBe(begun.length);
      expect(begun.length).toBeLessThan(id);
      expect(connection.closeReason).toBe('age');
    });
  });

  it('D2: without drainTimeout a connection that is never quiet ends with its age', async () => {
    const service = await start({ drainTimeout: 0, maxConnectionAge: 50 });
    const peer = await RpcPeer.connect(service.port);
    const timer = setInterval(() => peer.send({ pattern: 'echo', data: 1, id: 1 }), 20);
    onCleanup(() => clearInterval(timer));
    await until(() => peer.peer.closed);
    clearInterval(timer);
    const connection = await service.connection();
    await until(() => connection.closeReason !== undefined);
    expect(connection.closeReason).toBe('age');
  });

  it('D1: a connection that the kernel holds when the server stops is told, and served', async () => {
    const service = await start();
    const dialled = RpcPeer.connect(service.port);
    const closed = closing(service); // accepted at the earliest in the turn that stops accepting
    const peer = await dialled.catch(() => undefined);
    if (peer !== undefined) {
      peer.send({ pattern: 'echo', data: 'hello', id: 1 });
      expect(await peer.all(1)).toEqual([{ response: 'hello', isDisposed: true, id: 1 }]);
      await until(() => peer.of(undefined).length > 0);
      expect(peer.of(undefined)).toEqual([GO_AWAY]);
    }
    await until(() => closed.done);
  });

  it('D2: of many peers a hundred are told at a time, so that they do not all come back at once', async () => {
    const service = await start();
    const peers: RpcPeer[] = [];
    const told: number[] = [];
    for (let index = 0; index < 350; index++) peers.push(await RpcPeer.connect(service.port));
    for (const { peer } of peers) peer.socket.once('data', () => told.push(performance.now()));
    await until(() => service.server.connections.size === peers.length);
    const closed = closing(service);
    await until(() => closed.done);
    expect(told.length).toBe(peers.length);
    // Three pauses of 10 ms lie between the first and the last; this process may have slept through two of them.
    expect(told.at(-1)! - told[0]!).toBeGreaterThanOrEqual(9);
  });

  it("D2: Nest's client takes no notice of it, and gets its replies", async () => {
    const service = await start();
    const client = nestClient(service.port);
    const first = firstValueFrom(client.send('held', 'first'));
    await until(() => begun.length === 1);
    const watcher = await RpcPeer.connect(service.port);
    const closed = closing(service);
    await until(() => watcher.packets.length > 0);
    expect(await firstValueFrom(client.send('echo', 'second'))).toBe('second');
    release[0]!();
    expect(await first).toBe('first');
    expect(await firstValueFrom(client.send('echo', 'third'))).toBe('third');
    await until(() => closed.done);
  });

  it('D2: a connection in front of whose handlers @OnConnect is at work is told when it is admitted', async () => {
    let admit!: () => void;
    const service = await serve(
      { loops, codec: undefined },
      { connect: () => new Promise<void>((resolve) => (admit = resolve)) },
    );
    const peer = await RpcPeer.connect(service.port);
    peer.send({ pattern: 'nobody', data: 1, id: 1 });
    await until(() => admit !== undefined);
    const closed = closing(service);
    // Longer than a connection may be quiet.
    expect(await settled(() => Number(peer.peer.closed), 600)).toBe(0);
    admit();
    expect(await peer.all(1)).toMatchObject([{ status: 'error', id: 1 }]);
    expect(peer.packets[0]).toEqual(GO_AWAY);
    await until(() => closed.done);
  });

  it('D1: a client that has asked gev:hello is waited for until it hangs up, however long it is silent', async () => {
    const service = await start({ drainTimeout: 60_000 });
    const peer = await RpcPeer.connect(service.port);
    peer.send({ pattern: 'gev:hello', data: { cancel: 1 }, id: 1 });
    expect(await peer.all(1)).toEqual([{ response: { cancel: 1 }, isDisposed: true, id: 1 }]);
    const closed = closing(service);
    await until(() => peer.of(undefined).length > 0);
    // Longer than others may be quiet.
    expect(await settled(() => peer.peer.events.length, 700)).toBe(0);
    peer.send({ pattern: 'noted', data: 'late' }).peer.socket.end();
    await until(() => closed.done);
    expect(begun).toEqual(['late']);
  });

  it('D1: but not for longer than drainTimeout', async () => {
    const service = await start({ drainTimeout: 1_000 });
    const peer = await RpcPeer.connect(service.port);
    peer.send({ pattern: 'gev:hello', data: { cancel: 1 }, id: 1 });
    await peer.all(1);
    const closed = closing(service);
    await until(() => closed.done);
    expect(closed.took).toBeGreaterThanOrEqual(899);
    await until(() => peer.peer.closed);
    expect(peer.peer.events).toEqual(['end', 'close']);
  });

  it('D1: gev:hello on a connection that is to end says so, and its client is waited for', async () => {
    const service = await start({ drainTimeout: 60_000 });
    const peer = await RpcPeer.connect(service.port);
    await service.connection();
    const closed = closing(service);
    await until(() => peer.packets.length > 0);
    peer.send({ pattern: 'gev:hello', data: { cancel: 1 }, id: 1 });
    expect(await peer.all(1)).toEqual([{ response: { cancel: 1, leaving: true }, isDisposed: true, id: 1 }]);
    expect(await settled(() => peer.peer.events.length, 700)).toBe(0);
    peer.peer.socket.end();
    await until(() => closed.done);
  });

  it('D2: a go-away that is too long for a frame ends neither the process nor close()', async () => {
    const service = await start({ maxFrameLength: 32 });
    const peers = await Promise.all([1, 2].map(() => RpcPeer.connect(service.port)));
    await until(() => service.server.connections.size === 2);
    await service.close();
    for (const { peer } of peers) {
      await until(() => peer.closed);
      expect(peer.events).toEqual(['end', 'close']);
    }
    expect(service.lines.filter((line) => line.includes('could not be asked to go')).length).toBeGreaterThan(
      0,
    );
    const old = await start({ maxFrameLength: 32, maxConnectionAge: 50 });
    const peer = await RpcPeer.connect(old.port);
    await until(() => peer.peer.closed);
    expect(peer.peer.events).toEqual(['end', 'close']);
    const connection = await old.connection();
    await until(() => connection.closeReason !== undefined);
    expect(connection.closeReason).toBe('age');
  });

  it('D2: a go-away whose serializer takes its time is sent before FIN', async () => {
    const serialize = async (packet: unknown): Promise<unknown> => {
      await pause(700);
      return packet;
    };
    const service = await start({ serializer: { serialize } });
    const peer = await RpcPeer.connect(service.port);
    await service.connection();
    await service.close();
    await until(() => peer.peer.closed);
    expect(peer.packets).toEqual([GO_AWAY]);
    expect(peer.peer.events).toEqual(['end', 'close']);
  });

  it('D2: a go-away for which maxSendBuffer has no room waits for some, and ends nothing', async () => {
    const service = await start({ maxSendBuffer: 4 * MiB, highWaterMark: MiB, maxFrameLength: 8 * MiB });
    const peer = await Peer.connect(service.port);
    const connection = await service.connection();
    const filled = async (): Promise<number> => {
      await settled(() => connection.bufferedBytes, 100);
      return connection.bufferedBytes;
    };
    while ((await filled()) < MiB) connection.send('x'.repeat(MiB));
    const rest = 4 * MiB - (await filled()) - 10;
    connection.send('x'.repeat(rest - String(rest).length - 1));
    const closed = closing(service);
    expect(await settled(() => Number(closed.done), 100)).toBe(0);
    peer.read();
    await until(() => peer.closed);
    expect(peer.events).toEqual(['end', 'close']);
    const text = await peer.text(peer.length);
    expect(text.slice(-JSON.stringify(GO_AWAY).length)).toBe(JSON.stringify(GO_AWAY));
    await until(() => closed.done);
    expect(connection.closeReason).toBe('shutdown');
  });

  it.each(['closed before', 'aged', 'aged, and told FIN'])(
    'D3: a connection that was ending for another reason holds nobody up: %s',
    async (how) => {
      const service = await start(how === 'closed before' ? {} : { maxConnectionAge: 100 });
      const peer = await RpcPeer.connect(service.port, { allowHalfOpen: true });
      const connection = await service.connection();
      if (how === 'aged') await until(() => peer.packets.length > 0);
      if (how === 'closed before') connection.close();
      if (how !== 'aged') await until(() => peer.peer.ended);
      const closed = closing(service);
      await until(() => closed.done);
      expect(closed.took).toBeLessThan(2_500); // not closeTimeout
      expect(connection.closeReason).toBe(
        { 'closed before': 'local', aged: 'shutdown', 'aged, and told FIN': 'age' }[how],
      );
    },
  );

  it('D3: peers that never answer FIN hold nobody up', async () => {
    await eventually(3, async () => {
      const service = await start();
      const peers = await Promise.all(
        [1, 2, 3].map(() => RpcPeer.connect(service.port, { allowHalfOpen: true })),
      );
      peers[0]!.send({ pattern: 'echo', data: 'x'.repeat(MiB), id: 1 });
      await peers[0]!.all(1);
      const closed = closing(service);
      await until(() => closed.done);
      expect(closed.took).toBeLessThan(2_000);
      for (const { peer } of peers) {
        await until(() => peer.ended);
        expect(peer.events).toEqual(['end']);
      }
    });
  });

  it('D3: nor do raw ones, and what they are owed arrives', async () => {
    await eventually(3, async () => {
      const service = await serve({ loops }, { message: () => Buffer.alloc(4 * MiB) });
      const peer = (await Peer.connect(service.port, { allowHalfOpen: true })).read();
      peer.write('x');
      await (await service.connection()).sendAsync(Buffer.alloc(1));
      const closed = closing(service);
      await until(() => closed.done);
      expect(closed.took).toBeLessThan(2_000);
      await until(() => peer.ended);
      expect(peer.length).toBe(4 * MiB + 1);
      expect(peer.events).toEqual(['end']);
    });
  });

  it('D3: a peer that has not read what it is owed is waited for', async () => {
    const service = await serve({ loops }, {});
    const peer = await Peer.connect(service.port, { allowHalfOpen: true });
    (await service.connection()).send(Buffer.alloc(32 * MiB));
    const closed = closing(service);
    expect(await settled(() => Number(closed.done), 400)).toBe(0);
    peer.read();
    await until(() => peer.ended);
    expect(peer.length).toBe(32 * MiB);
    await until(() => closed.done);
  });

  it('D3: calls whose clients are gone, or have cancelled them, are not waited for', async () => {
    await eventually(3, async () => {
      const service = await start();
      const peers = await Promise.all([1, 2].map(() => RpcPeer.connect(service.port)));
      for (const peer of peers) peer.send({ pattern: 'held', data: 'x', id: 1 });
      await until(() => begun.length === 2);
      peers[0]!.peer.reset();
      peers[1]!.send({ pattern: 'gev:cancel', data: 1 });
      await until(() => service.server.connections.size === 1);
      const closed = closing(service);
      await until(() => closed.done);
      expect(closed.took).toBeLessThan(2_000);
      release.forEach((each) => each());
    });
  });

  it('D3: streams that go on end after streamDrainTimeout', async () => {
    await eventually(3, async () => {
      const service = await start();
      const peer = await RpcPeer.connect(service.port);
      peer.send({ pattern: 'ticks', data: 5, id: 1 });
      await until(() => peer.of(1).length > 0);
      const closed = closing(service);
      await until(() => closed.done);
      expect(closed.took).toBeLessThan(4_000);
      expect(closed.took).toBeGreaterThanOrEqual(999);
      expect(peer.packets.at(-1)).toEqual({ err: SHUTDOWN, isDisposed: true, id: 1 });
      expect(ends).toEqual(['shutdown']);
    });
  });

  it('D3: a stream that begins shortly before has its streamDrainTimeout from then on', async () => {
    await eventually(3, async () => {
      const values = new Subject<string>();
      const options = { loops, streamDrainTimeout: 400, drainTimeout: 60_000 };
      const raws = await serve({ ...options, codec: raw() }, { message: () => values });
      const stream = (await Peer.connect(raws.port)).read();
      stream.write('x');
      await until(() => values.observed);
      const rpc = await start(options);
      late = values;
      const peer = await RpcPeer.connect(rpc.port);
      peer.send({ pattern: 'late', data: 1, id: 1 });
      await until(() => begun.length === 1);
      const both = [closing(rpc), closing(raws)];
      await pause(300);
      values.next('a');
      await pause(200);
      values.next('b');
      values.complete();
      await until(() => both.every(({ done }) => done) && stream.closed && peer.peer.closed);
      expect(peer.of(1).map(({ response, err }) => response ?? err)).toEqual(['a', 'b']);
      expect(await stream.text(stream.length)).toBe('ab');
    });
  });

  it('D3: so do raw ones, and those that begin while the server stops', async () => {
    const options = { loops, streamDrainTimeout: 100, drainTimeout: 60_000 };
    const service = await serve(
      { ...options, codec: raw() },
      { message: () => interval(5).pipe(map(String)) },
    );
    const stream = (await Peer.connect(service.port)).read();
    stream.write('x');
    await until(() => stream.length > 0);
    const rpc = await start(options);
    const peer = await RpcPeer.connect(rpc.port);
    peer.send({ pattern: 'held', data: 'x', id: 1 });
    await until(() => begun.length === 1);
    const both = [closing(rpc), closing(service)];
    await until(() => both[1]!.done);
    await pause(150);
    peer.send({ pattern: 'ticks', data: 5, id: 2 });
    await until(() => peer.of(2).at(-1)?.isDisposed === true);
    expect(peer.of(2).length).toBeGreaterThan(1);
    release[0]!();
    await until(() => both[0]!.done);
  });
});
