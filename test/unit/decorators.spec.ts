import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Inject,
  Injectable,
  Module,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestMicroservice,
  type NestInterceptor,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CONTEXT, Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { map, of, Subject, throwError, type Observable } from 'rxjs';
import { GevContext } from '../../src/context/gev.context.js';
import type { GevConnection } from '../../src/core/connection.js';
import { Conn } from '../../src/decorators/conn.decorator.js';
import { OnClose } from '../../src/decorators/on-close.decorator.js';
import { OnConnect } from '../../src/decorators/on-connect.decorator.js';
import { OnMessage } from '../../src/decorators/on-message.decorator.js';
import { Reason } from '../../src/decorators/reason.decorator.js';
import { FakeServer, settle, until } from './support/fake-reactor.js';

/** What the code under test has done, in order. */
let log: unknown[] = [];
const later = (ms = 5) => new Promise((resolve) => setTimeout(resolve, ms));

async function serve(controllers: Type[], configure: (app: INestMicroservice) => unknown = () => undefined) {
  @Module({ controllers })
  class AppModule {}

  log = [];
  const server = new FakeServer();
  const app = await NestFactory.createMicroservice(AppModule, { strategy: server, logger: false });
  configure(app);
  await app.listen();
  return { app, server, reactor: server.reactor };
}

/** Connects, sends, hangs up, and waits for all handlers. */
async function talk({ reactor, server }: Awaited<ReturnType<typeof serve>>, ...messages: string[]) {
  const connection = reactor.open();
  await until(() => connection.state !== 'connecting');
  reactor.deliver(connection, ...messages);
  await until(() => connection.pendingReplies === 0);
  reactor.drop(connection, 'peer');
  await server.close();
  return connection;
}

describe('decorators of connection events', () => {
  it('hand over connection, payload, context and reason', async () => {
    @Controller()
    class Everything {
      @OnConnect()
      connect(@Conn() conn: GevConnection, @Ctx() context: GevContext) {
        log.push(['connect', conn.id, context.getPattern()]);
        return 'hello';
      }

      @OnMessage()
      message(@Conn() conn: GevConnection, @Payload() data: Buffer) {
        log.push(['message', conn.id]);
        return data;
      }

      @OnClose()
      close(@Conn() conn: GevConnection, @Reason() reason: string) {
        log.push(['close', conn.id, reason]);
      }
    }
    const connection = await talk(await serve([Everything]), 'a', 'b');
    expect(connection.sent).toEqual(['hello', 'a', 'b']);
    expect(log).toEqual([
      ['connect', 1, 'gev:connect'],
      ['message', 1],
      ['message', 1],
      ['close', 1, 'peer'],
    ]);
  });

  it('hand the connection, the message and the reason to a plain first parameter', async () => {
    @Controller()
    class Plain {
      @OnConnect()
      connect(conn: { id: number }) {
        log.push(conn.id);
      }

      @OnMessage()
      message(data: Buffer) {
        log.push(data.toString());
      }

      @OnClose()
      close(reason: string) {
        log.push(reason);
      }
    }
    await talk(await serve([Plain]), 'a');
    expect(log).toEqual([1, 'a', 'peer']);
  });

  it('serve several controllers, and several methods of one', async () => {
    @Controller()
    class First {
      @OnMessage()
      one() {
        log.push('one');
      }

      @OnMessage()
      two() {
        log.push('two');
      }
    }

    @Controller()
    class Second {
      @OnMessage()
      three() {
        log.push('three');
      }
    }
    await talk(await serve([First, Second]), 'a');
    expect(log.sort()).toEqual(['one', 'three', 'two']);
  });

  it('stay off the map of patterns that the wire can reach', async () => {
    @Controller()
    class Mixed {
      @OnMessage()
      message() {}

      @MessagePattern('sum')
      sum() {}
    }
    const { server } = await serve([Mixed]);
    expect([...server.getHandlers().keys()]).toEqual(['sum']);
  });

  it('keep the name, the metadata and the subclass of a method', async () => {
    class Base {
      @OnMessage()
      @UseGuards(Denied)
      message() {}
    }
    @Controller()
    class Sub extends Base {}
    expect(Base.prototype.message.name).toBe('message');
    const { reactor, server } = await serve([Sub]);
    const connection = reactor.open();
    reactor.deliver(connection, 'a');
    await until(() => server.lines.length > 0);
    expect(server.lines[0]).toContain('Base.message failed on connection 1');
  });

  it('refuse two events on one method', () => {
    expect(() => {
      class Both {
        @OnConnect()
        @OnClose()
        both() {}
      }
      return Both;
    }).toThrow('Both.both can handle one event only');
  });
});

@Injectable()
class Denied implements CanActivate {
  canActivate() {
    return false;
  }
}

@Injectable()
class Recording implements CanActivate {
  canActivate(context: ExecutionContext) {
    const { constructor } = context.switchToRpc().getContext<object>();
    log.push(`guard ${context.getType()} ${context.getHandler().name} ${constructor.name}`);
    return later(1).then(() => true);
  }
}

@Injectable()
class Shouting implements NestInterceptor {
  intercept(context: ExecutionContext, next: { handle(): Observable<unknown> }) {
    log.push(`interceptor ${context.getHandler().name}`);
    return next.handle().pipe(map((value) => (typeof value === 'string' ? value.toUpperCase() : value)));
  }
}

class Text implements PipeTransform {
  transform(value: unknown) {
    return Buffer.isBuffer(value) ? value.toString() : value;
  }
}

@Catch()
class Sorry implements ExceptionFilter {
  catch(error: Error, host: ArgumentsHost) {
    log.push(`filter ${host.switchToRpc().getContext<GevContext>().getPattern()}`);
    return of(`sorry: ${error.message}`);
  }
}

describe('C7: enhancers on every kind of handler', () => {
  it('guards, interceptors and pipes run around connect, message and close', async () => {
    @Controller()
    @UseGuards(Recording)
    @UseInterceptors(Shouting)
    class Enhanced {
      @OnConnect()
      connect() {
        return 'hello';
      }

      @OnMessage()
      message(@Payload(Text) text: string) {
        log.push(typeof text);
        return text;
      }

      @OnClose()
      close() {
        log.push('closed');
      }
    }
    const connection = await talk(await serve([Enhanced]), 'a');
    expect(connection.sent).toEqual(['HELLO', 'A']);
    expect(log).toEqual([
      'guard rpc connect GevContext',
      'interceptor connect',
      'guard rpc message GevContext',
      'interceptor message',
      'string',
      'guard rpc close GevContext',
      'interceptor close',
      'closed',
    ]);
  });

  it('global ones do too', async () => {
    @Controller()
    class Simple {
      @OnConnect()
      connect() {
        return 'hello';
      }

      @OnMessage()
      message(text: string) {
        return `${typeof text}:${text}`;
      }
    }
    const connection = await talk(
      await serve([Simple], (app) =>
        app.useGlobalPipes(new Text()).useGlobalInterceptors(new Shouting()).useGlobalGuards(new Recording()),
      ),
      'a',
    );
    expect(connection.sent).toEqual(['HELLO', 'STRING:A']);
  });

  it('C2: a guard that denies @OnConnect refuses the connection', async () => {
    @Controller()
    class Closed {
      @OnConnect()
      @UseGuards(Denied)
      connect() {
        log.push('never');
      }
    }
    const { reactor, server } = await serve([Closed]);
    const connection = reactor.open();
    await until(() => connection.state === 'closed');
    expect(log).toEqual([]);
    expect(server.lines[0]).toContain('Closed.connect refused connection 1');
    expect(server.lines[0]).toContain('Forbidden resource');
  });

  it('C6: a filter answers in the place of a handler that threw', async () => {
    @Controller()
    class Failing {
      @OnMessage()
      @UseFilters(Sorry)
      message() {
        throw new Error('boom');
      }
    }
    const setup = await serve([Failing]);
    const connection = await talk(setup, 'a');
    expect(connection.sent).toEqual(['sorry: boom']);
    expect(log).toEqual(['filter gev:message']);
    expect(setup.server.lines).toEqual([]);
  });

  it('C6: without a filter the error is logged with the connection, and the next message is handled', async () => {
    @Controller()
    class Failing {
      @OnMessage()
      message(data: Buffer) {
        if (data.toString() === 'bad') throw new RpcException('boom');
        return data;
      }
    }
    const setup = await serve([Failing]);
    const connection = await talk(setup, 'bad', 'good');
    expect(connection.sent).toEqual(['good']);
    expect(setup.server.lines).toEqual(['Failing.message failed on connection 1 (127.0.0.1:50000): boom']);
  });

  it('a request-scoped controller is made for each call', async () => {
    let made = 0;
    @Controller({ scope: Scope.REQUEST })
    class Scoped {
      private readonly number = ++made;

      constructor(@Inject(CONTEXT) private readonly request: { context: GevContext }) {}

      @OnConnect()
      connect() {
        return `connect ${this.number} ${this.request.context.getConnection().id}`;
      }

      @OnMessage()
      message(data: Buffer) {
        return `${data.toString()} ${this.number} ${this.request.context.getPattern()}`;
      }

      @OnClose()
      close(@Reason() reason: string) {
        log.push(`${reason} ${this.number}`);
      }
    }
    const connection = await talk(await serve([Scoped]), 'a', 'b');
    expect(connection.sent).toEqual(['connect 1 1', 'a 2 gev:message', 'b 3 gev:message']);
    expect(log).toEqual(['peer 4']);
  });
});

describe('behind an interceptor, where Nest returns a lazy Observable', () => {
  @Controller()
  @UseInterceptors(Shouting)
  class Slow {
    @OnConnect()
    async connect() {
      await later(15);
      log.push('connected');
      return 'hello';
    }

    @OnMessage()
    async message(data: Buffer) {
      if (data.toString() === 'a') await later(15);
      return data.toString();
    }
  }

  it('C2: @OnConnect still holds back the messages until the method has settled', async () => {
    const { reactor } = await serve([Slow]);
    const connection = reactor.open();
    await until(() => connection.state === 'open');
    expect(log).toEqual(['interceptor connect', 'connected']);
    expect(connection.sent).toEqual(['HELLO']);
  });

  it('C2: @OnConnect still refuses', async () => {
    @Controller()
    @UseInterceptors(Shouting)
    class Refusing {
      @OnConnect()
      async connect() {
        await later();
        throw new Error('not you');
      }
    }
    const { reactor } = await serve([Refusing]);
    const connection = reactor.open();
    await until(() => connection.state === 'closed');
    expect(reactor.calls).toEqual(['listen']);
  });

  it('C4: replies still leave in the order of the messages, from the first message on', async () => {
    const connection = await talk(await serve([Slow]), 'a', 'b', 'a', 'b');
    expect(connection.sent).toEqual(['HELLO', 'A', 'B', 'A', 'B']);
  });

  it('without one, a silent Observable holds up nothing, even after a denial', async () => {
    const silent = new Subject<string>();
    let denials = 1;
    @Injectable()
    class DeniesFirst implements CanActivate {
      canActivate() {
        return denials-- <= 0;
      }
    }
    @Controller()
    class Streams {
      @OnMessage()
      @UseGuards(DeniesFirst)
      message(data: Buffer) {
        return data.toString() === 'stream' ? silent : data;
      }
    }
    const { reactor } = await serve([Streams]);
    const connection = reactor.open();
    reactor.deliver(connection, 'denied', 'stream', 'b');
    await until(() => connection.sent.length === 1);
    expect(connection.sent).toEqual(['b']);
    silent.next('c');
    expect(connection.sent).toEqual(['b', 'c']);
    await settle(5);
    expect(connection.pendingReplies).toBe(1);
  });

  it('an Observable that fails is logged once, and is no unhandled rejection', async () => {
    @Controller()
    class FailingStream {
      @OnMessage()
      message() {
        return throwError(() => new RpcException('stream'));
      }
    }
    const setup = await serve([FailingStream]);
    const connection = await talk(setup, 'a');
    expect(connection.sent).toEqual([]);
    expect(setup.server.lines).toEqual([
      'FailingStream.message failed on connection 1 (127.0.0.1:50000): stream',
    ]);
  });
});
