import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern } from '@nestjs/microservices';
import { type GevContext, type GevServerOptions, OnMessage } from 'nestjs-gev';
import { fileURLToPath } from 'node:url';
import { listenBare } from '../kit/bare-reactor.js';
import { onCleanup } from '../kit/cleanup.js';
import { Child } from '../kit/child.js';
import { Peer } from '../kit/peer.js';
import { frame, RpcPeer, serveRpc } from '../kit/rpc.js';
import { spin, until } from '../kit/until.js';

const script = fileURLToPath(new URL('../kit/children/flood.mjs', import.meta.url));

/** What the handlers of this file's servers do. */
let work: (context: GevContext) => unknown;

@Controller()
class Works {
  @MessagePattern('work')
  work(@Ctx() context: GevContext): unknown {
    return work(context);
  }
}

/** Peers that pipeline flat out, each to one of the ports. */
function flood(ports: readonly number[], inFlight: number): Child {
  return Child.start([script, JSON.stringify(ports), String(inFlight)]);
}

/** The most that `count` grew by between two turns of Node's own loop. */
function mostATurn(count: () => number): () => number {
  let most = 0;
  let last = count();
  let timer: NodeJS.Immediate;
  const look = (): void => {
    most = Math.max(most, count() - last);
    last = count();
    timer = setImmediate(look);
  };
  look();
  onCleanup(() => clearImmediate(timer));
  return () => most;
}

describe('the loops of one process', () => {
  const cases: [string, GevServerOptions[]][] = [
    ['two loops of a server', [{ loops: 2 }]],
    ['two servers on threads', [{ loops: 1 }, { loops: 1 }]],
    ['two servers without threads', [{ loops: 0 }, { loops: 0 }]],
    ['servers with and without threads', [{ loops: 0 }, { loops: 1 }]],
  ];

  it.each(cases)(
    'F1: %s that have more work than there is time for are served in turn',
    async (_, setups) => {
      const handled = new Map<string, number>();
      let all = 0;
      const keys = new Map<number, string>();
      work = (context) => {
        spin(0.02);
        all++;
        const key = keys.get(context.getConnection().id)!;
        handled.set(key, (handled.get(key) ?? 0) + 1);
      };
      const most = mostATurn(() => all);
      const ports: number[] = [];
      for (const [index, setup] of setups.entries()) {
        const { port, server } = await serveRpc(setup, Works);
        server.on('connection', ({ id, loop }) => keys.set(id, `server ${index}, loop ${loop}`));
        ports.push(...Array.from({ length: Math.max(setup.loops as number, 1) }, () => port));
      }
      flood(ports, 4_000);
      await until(() => all >= 20_000, '20,000 requests are handled', 30_000);

      expect(handled.size).toBe(2);
      expect(Math.min(...handled.values())).toBeGreaterThan(all / 5);
      expect(most()).toBeLessThan(2_000);
    },
  );
});

describe.each([0, 1])('reactors on %i threads each', (loops) => {
  it('F1: have their turn after a call of another one that took longer than there is time for all', async () => {
    const total = 500;
    let handled = 0;
    const { port: slow } = await listenBare(loops, () => {
      spin(8);
      handled++;
    });
    let answered = false;
    const { port: quick } = await listenBare(loops, () => (answered = true));
    const asking = await Peer.connect(quick);
    const flooding = await Peer.connect(slow);
    flooding.write(Buffer.alloc(64 * 1024 * total));
    await until(() => handled > 10);
    asking.write('x');
    await until(() => answered);
    expect(handled).toBeLessThan(total / 2);
  });
});

describe.each([0, 1])('timers beside a server on %i threads', (loops) => {
  it.each([
    ['quick', 0.02, 1_000],
    ['slow', 2, 40],
  ])('F2: come to their turn although there are always more %s requests', async (_, ms, atMost) => {
    let all = 0;
    work = () => {
      spin(ms);
      all++;
    };
    const { port } = await serveRpc({ loops }, Works);
    flood([port, port], 4_000);
    await until(() => all > 50);
    const most = mostATurn(() => all);
    const from = all;
    await until(() => all > from + 5 * atMost, `${5 * atMost} requests are handled`, 30_000);
    expect(most()).toBeLessThan(atMost);
  });
});

@Controller()
class Listens {
  @OnMessage()
  message(@Ctx() context: GevContext): void {
    work(context);
  }
}

describe.each([0, 1])('connections of a server on %i threads', (loops) => {
  it.each([
    ['@MessagePattern', Works],
    ['@OnMessage', Listens],
  ])('F3: have their %s handlers started in turn, however much one has sent', async (_, controller) => {
    const peers = 20;
    const each = 100;
    let all = 0;
    let received = -1;
    let waited = -1;
    work = (context) => {
      spin(1);
      all++;
      if (context.getConnection() === bystander) waited = all - received;
    };
    const { port, connection } = await serveRpc({ loops }, controller);
    const clients = [];
    for (let index = 0; index <= peers; index++) {
      clients.push(await RpcPeer.connect(port));
      await connection(index);
    }
    const [quiet, ...busy] = clients;
    const bystander = await connection(0);
    bystander.messages$.subscribe(() => (received = all));
    for (const peer of busy) peer.peer.write(frame({ pattern: 'work', data: 1, id: '1' }).repeat(each));
    await until(() => all > 4 * peers);
    quiet!.send({ pattern: 'work', data: 1, id: '1' });
    await until(() => all === peers * each + 1);
    expect(received).toBeLessThan((peers * each) / 2);
    expect(waited).toBeLessThan(2 * peers);
  });
});
