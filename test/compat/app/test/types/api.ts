// Compiles, or it does not, against each Nest: what users write without a cast, and what must be refused.
import { Controller, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Client,
  ClientProxyFactory,
  ClientsModule,
  Ctx,
  MessagePattern,
  type ClientProxy,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { MicroserviceHealthIndicator } from '@nestjs/terminus';
import {
  Conn,
  gevClient,
  GevClient,
  GevConnection,
  GevContext,
  GevModule,
  GevServer,
  OnConnect,
  raw,
  type CloseReason,
  type GevServerOptions,
} from 'nestjs-gev';
import { Reactor, type ReactorHandler, type ReactorOptions } from 'nestjs-gev/core';

interface Session {
  user?: string;
}

@Controller()
export class TypedController {
  // An interface has no value to check: the context is a class.
  @MessagePattern('who')
  who(@Ctx() context: GevContext<Session>): string | undefined {
    const { user } = context.getConnection().data;
    // @ts-expect-error: no such property
    context.getConnection().data.usr;
    return user;
  }

  @OnConnect()
  enter(@Conn() conn: GevConnection<Session>): void {
    conn.data.user = 'x';
    // @ts-expect-error: of another type
    conn.data.user = 1;
  }

  @Client(gevClient({ port: 3000 }))
  client!: ClientProxy;
}

@Module({
  imports: [
    GevModule.forRoot({ codec: raw(), port: 0 }),
    ClientsModule.register([
      { name: 'A', ...gevClient({ endpoints: [{ host: 'a', port: 1 }] }) },
      { name: 'B', customClass: GevClient, options: { port: 3000 } },
    ]),
    ClientsModule.registerAsync([{ name: 'C', useFactory: () => gevClient({ path: '/tmp/c' }) }]),
  ],
})
export class TypedModule {}

@Injectable()
export class Health {
  constructor(private readonly microservice: MicroserviceHealthIndicator) {}

  check() {
    return this.microservice.pingCheck('self', gevClient({ port: 3000 }));
  }
}

export async function start(): Promise<void> {
  const strategy = new GevServer({ port: '3000', idleTimeout: 1_000 });
  await NestFactory.createMicroservice<MicroserviceOptions>(TypedModule, { strategy });
  const proxy: ClientProxy = ClientProxyFactory.create(gevClient({ requestTimeout: 5 }));
  await proxy.connect();

  strategy.broadcast('x', (conn) => conn.data.user === 'x');
  strategy.broadcast('x', ({ data }: GevConnection<Session>) => data.user === 'x');
  const members = new Map<string, GevConnection<Session>>();
  strategy.broadcast(Buffer.from('x'), members.values());
  strategy.broadcast('x', [...strategy]);
  // @ts-expect-error: a single connection is sent to
  strategy.broadcast('x', [...strategy][0]!);
  // @ts-expect-error: not data
  strategy.broadcast({ x: 1 });
  // @ts-expect-error: no such option
  gevClient({ prot: 3000 });
  // @ts-expect-error: no such option
  new GevServer({ loop: 1 });

  strategy.on('connection', (conn) => void conn.id.toFixed());
  strategy.unwrap().reactor.connections.get(1)?.close();
}

export async function withoutNest(): Promise<void> {
  const options: ReactorOptions = { codec: raw(), host: '127.0.0.1', port: 0, gateConnections: false };
  const handler: ReactorHandler = {
    onOpen: (connection) => void connection.send('hello'),
    onMessage: (connection, data) => void connection.send(data),
    onText: () => undefined,
    onEnd: (connection) => reactor.finish(connection),
    onClose: ({ closeReason }) => void (closeReason satisfies CloseReason | undefined),
    onError: (error) => void error.code.trim(),
  };
  const reactor = new Reactor(options, handler);
  const address = await reactor.listen();
  if ('port' in address) address.port.toFixed();
  await reactor.stop();
  // @ts-expect-error: a handler is needed
  new Reactor(options);
  // @ts-expect-error: an option of servers
  new Reactor({ maxInFlight: 1 }, handler);
}

export const options: GevServerOptions = { keepAlive: { delay: 1_000 } };
