import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Inject,
  Injectable,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import {
  Conn,
  type GevConnection,
  GevContext,
  type GevServerOptions,
  OnClose,
  OnConnect,
  OnMessage,
  nestJson,
  raw,
} from 'nestjs-gev';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Observable, defer, of, timer } from 'rxjs';
import { FramePeer } from '../kit/frames.js';
import { Peer } from '../kit/peer.js';
import { RpcPeer } from '../kit/rpc.js';
import { serve, type Service } from '../kit/serve.js';
import { until } from '../kit/until.js';

/** Who is being served. Whoever finds another one here sees somebody else's data. */
const user = new AsyncLocalStorage<string>();

type Place = 'guard' | 'pipe' | 'interceptor' | 'handler' | 'stream' | 'deserializer' | 'serializer' | 'hook';

/** Has one place enter the user of its message, and every place tell whom it finds. */
class Visits {
  readonly strangers: string[] = [];
  readonly seen: string[] = [];

  constructor(
    private readonly entering: Place | 'all',
    private readonly late: boolean,
  ) {}

  /** @param own whom this is about */
  visit(place: string, own: string): void {
    const found = user.getStore();
    this.seen.push(place);
    if (found !== undefined && found !== own) this.strangers.push(`${place} of ${own} found ${found}`);
    if (place === this.entering || this.entering === 'all') user.enterWith(own);
  }

  /** Where it may take its time: after some of it. */
  in<Value>(place: Place, own: string, value: Value): Value | Promise<Value> {
    this.visit(place, own);
    if (!this.late) return value;
    return (async () => {
      await Promise.resolve();
      this.visit(place, own);
      await new Promise((resolve) => setImmediate(resolve));
      this.visit(place, own);
      return value;
    })();
  }
}

/** A frame's packet is its text where it is taken as a message. */
function userOf(data: unknown): string {
  const text = Buffer.isBuffer(data) ? data.toString() : String(data);
  return text.startsWith('{') ? (JSON.parse(text) as { data: string }).data : text;
}

@Injectable()
class Guard implements CanActivate {
  constructor(@Inject(Visits) private readonly visits: Visits) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    return this.visits.in('guard', userOf(context.switchToRpc().getData()), true);
  }
}

@Injectable()
class Pipe implements PipeTransform {
  constructor(@Inject(Visits) private readonly visits: Visits) {}

  transform(data: unknown): unknown {
    if (data instanceof GevContext || typeof data !== 'string') return data;
    return this.visits.in('pipe', data, data);
  }
}

@Injectable()
class Interceptor implements NestInterceptor {
  constructor(@Inject(Visits) private readonly visits: Visits) {}

  intercept(
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    return this.visits.in('interceptor', userOf(context.switchToRpc().getData()), next.handle());
  }
}

/** Each place comes first in one of them: only there does what it enters reach its caller. */
@Controller()
class Requests {
  constructor(@Inject(Visits) private readonly visits: Visits) {}

  @UseGuards(Guard)
  @MessagePattern('guarded')
  guarded(@Payload() data: string): unknown {
    return this.visits.in('handler', data, data);
  }

  @UsePipes(Pipe)
  @MessagePattern('piped')
  piped(@Payload() data: string): unknown {
    return this.visits.in('handler', data, data);
  }

  @UseInterceptors(Interceptor)
  @MessagePattern('intercepted')
  intercepted(@Payload() data: string): unknown {
    return this.visits.in('handler', data, data);
  }

  @UseGuards(Guard)
  @UsePipes(Pipe)
  @UseInterceptors(Interceptor)
  @MessagePattern('all')
  all(@Payload() data: string): unknown {
    return this.visits.in('handler', data, data);
  }

  @MessagePattern('bare')
  bare(@Payload() data: string): unknown {
    return this.visits.in('handler', data, data);
  }

  @EventPattern('event')
  event(@Payload() data: string): unknown {
    return this.visits.in('handler', data, undefined);
  }

  @MessagePattern('stream')
  stream(@Payload() data: string): Observable<string> {
    this.visits.visit('stream', data);
    return new Observable<string>((subscriber) => {
      this.visits.visit('stream', data);
      const values = timer(1, 1).subscribe((tick) => {
        this.visits.visit('stream', data);
        subscriber.next(data);
        if (tick === 2) subscriber.complete();
      });
      return () => {
        this.visits.visit('stream', data);
        values.unsubscribe();
      };
    });
  }
}

/** Handlers of chunks, connects and closes. What belongs to no message is about the connection. */
@Controller()
class Raw {
  constructor(@Inject(Visits) private readonly visits: Visits) {}

  @OnConnect()
  connect(@Conn() connection: GevConnection): void {
    this.visits.visit('handler', `connect ${connection.id}`);
  }

  @OnConnect()
  async connectLater(@Conn() connection: GevConnection): Promise<void> {
    this.visits.visit('handler', `connect later ${connection.id}`);
    await Promise.resolve();
    this.visits.visit('handler', `connect later ${connection.id}`);
  }

  @OnConnect()
  connectStream(@Conn() connection: GevConnection): Observable<never> {
    return defer(() => {
      this.visits.visit('handler', `connect stream ${connection.id}`);
      return of();
    });
  }

  @OnMessage()
  @UseGuards(Guard)
  @UsePipes(Pipe)
  message(@Payload() data: Buffer): unknown {
    return this.visits.in('handler', userOf(data), data);
  }

  @OnClose()
  close(@Conn() connection: GevConnection): void {
    this.visits.visit('handler', `close ${connection.id}`);
  }

  @OnClose()
  async closeLater(@Conn() connection: GevConnection): Promise<void> {
    this.visits.visit('handler', `close later ${connection.id}`);
    await Promise.resolve();
    this.visits.visit('handler', `close later ${connection.id}`);
  }
}

/** Beside RPC a message is observed: what there is to answer is sent. */
@Controller()
class Observing extends Raw {
  @OnMessage()
  @UseGuards(Guard)
  @UsePipes(Pipe)
  async observe(@Payload() data: Buffer, @Conn() connection: GevConnection): Promise<void> {
    connection.send((await super.message(data)) as Buffer);
  }

  /** Not decorated here: {@link observe} is. */
  override message(data: Buffer): unknown {
    return super.message(data);
  }
}

interface Setup {
  readonly entering: Place | 'all';
  readonly late?: boolean;
}

async function visited(
  { entering, late = false }: Setup,
  controllers: NonNullable<Parameters<typeof serve>[1] & object>,
  options: GevServerOptions,
): Promise<{ service: Service; visits: Visits }> {
  const visits = new Visits(entering, late);
  const service = await serve(options, {
    ...controllers,
    providers: [{ provide: Visits, useValue: visits }],
  });
  // What no message causes is nobody's.
  service.server.runEvery(1, () => visits.visit('timer', 'timer'));
  service.server.on('connection', ({ id }) => visits.visit('connection event', `connection ${id}`));
  return { service, visits };
}

const RPC = { controllers: [Requests] };

/** Three batches on two connections each, of requests and events of many users. */
async function requests({ service, visits }: { service: Service; visits: Visits }): Promise<void> {
  const peers = [await RpcPeer.connect(service.port), await RpcPeer.connect(service.port)];
  const kinds = ['guarded', 'piped', 'intercepted', 'bare', 'event', 'stream', 'all'];
  const patterns = [...kinds, ...kinds];
  let number = 0;
  for (let batch = 0; batch < 3; batch++) {
    const ids: [RpcPeer, string][] = [];
    for (const peer of peers) {
      const packets = patterns.map((pattern) => {
        const id = String(++number);
        const packet = { pattern, data: `user ${id}`, metadata: { user: `user ${id}` } };
        if (pattern === 'event') return packet;
        ids.push([peer, id]);
        return { ...packet, id };
      });
      peer.send(...packets);
    }
    await Promise.all(ids.map(([peer, id]) => peer.all(id)));
  }
  for (const { peer } of peers) peer.socket.destroy();
  await until(() => service.server.connections.size === 0, 'the connections are closed');
  const { length } = visits.seen;
  await until(() => visits.seen.slice(length).includes('timer'), 'a timer ticks after all of it');
  expect(visits.strangers).toEqual([]);
  expect(visits.seen).toEqual(expect.arrayContaining(['guard', 'pipe', 'interceptor', 'handler', 'stream']));
}

async function chunks({ service, visits }: { service: Service; visits: Visits }): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const peers = await Peer.connectAll(8, service.port);
    peers.forEach((peer) => peer.read());
    for (let turn = 0; turn < 3; turn++) {
      const texts = peers.map((_, index) => `user ${round}${turn}${index}`);
      peers.forEach((peer, index) => peer.write(texts[index]!));
      const echoes = await Promise.all(peers.map((peer, index) => peer.text(texts[index]!.length)));
      expect(echoes).toEqual(texts);
    }
    peers.forEach((peer) => peer.socket.destroy());
    await until(() => service.server.connections.size === 0, 'the connections are closed');
  }
  await until(() => visits.seen.filter((place) => place === 'timer').length > 2, 'timers tick');
  expect(visits.strangers).toEqual([]);
}

describe.each([0, 2])('asynchronous contexts on %i loops', (loops) => {
  const places: Place[] = ['guard', 'pipe', 'interceptor', 'handler', 'stream'];

  it.each(places)('X1: a user entered in a %s is seen by its own message only', async (entering) => {
    await requests(await visited({ entering }, RPC, { codec: nestJson(), loops }));
  });

  it.each(places)('X1: so it is where the %s takes its time', async (entering) => {
    await requests(await visited({ entering, late: true }, RPC, { codec: nestJson(), loops }));
  });

  it.each([false, true])(
    'X1: a message that waits for its turn has a context of its own (late: %s)',
    async (late) => {
      const options = { codec: nestJson(), loops, concurrency: 1 };
      await requests(await visited({ entering: 'all', late }, RPC, options));
    },
  );

  it.each([1, undefined])(
    'X1: deserializers and serializers enter for their packet (concurrency %s)',
    async (concurrency) => {
      for (const late of [false, true]) {
        const visits = new Visits('all', late);
        const service = await serve(
          {
            ...{ codec: nestJson(), loops, ...(concurrency !== undefined && { concurrency }) },
            deserializer: {
              deserialize: (packet: any) => visits.in('deserializer', packet.data, packet),
            },
            serializer: {
              serialize: (packet: any) =>
                packet.response === undefined ? packet : visits.in('serializer', packet.response, packet),
            },
          },
          { ...RPC, providers: [{ provide: Visits, useValue: visits }] },
        );
        service.server.runEvery(1, () => visits.visit('timer', 'timer'));
        await requests({ service, visits });
      }
    },
  );

  it('X1: processing hooks enter for their message', async () => {
    for (const late of [false, true]) {
      const { service, visits } = await visited({ entering: 'all', late }, RPC, { codec: nestJson(), loops });
      const start = async (_: unknown, context: GevContext, done: () => Promise<void>): Promise<void> => {
        const { user: own } = context.getMetadata() as { user: string };
        await visits.in('hook', own, undefined);
        await done();
      };
      service.server.setOnProcessingStartHook((...args) => void start(...(args as Parameters<typeof start>)));
      await requests({ service, visits });
    }
  });

  it('X1: frames handled as messages, connects and closes have contexts of their own', async () => {
    for (const late of [false, true]) {
      for (const concurrency of [1, 4]) {
        const options = { codec: nestJson(), loops, concurrency };
        const { service, visits } = await visited(
          { entering: 'all', late },
          { controllers: [Observing] },
          options,
        );
        const peers = [await FramePeer.connect(service.port), await FramePeer.connect(service.port)];
        for (const [index, peer] of peers.entries())
          peer.write(
            ...Array.from({ length: 40 }, (_, number) => ({
              pattern: 'none',
              data: `user ${index}-${number}`,
            })),
          );
        await until(() => peers.every((peer) => peer.texts.length === 40), 'all are answered');
        await service.close();
        expect(visits.strangers).toEqual([]);
      }
    }
  });

  it.each([true, false])(
    'X1: chunks of bytes, connects and closes have contexts of their own (copied: %s)',
    async (copy) => {
      for (const late of [false, true]) {
        const options = { codec: raw({ copy }), loops };
        await chunks(await visited({ entering: 'all', late }, { controllers: [Raw] }, options));
      }
    },
  );
});
