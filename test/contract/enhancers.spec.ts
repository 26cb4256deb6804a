import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Inject,
  Injectable,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { CONTEXT, Ctx, Payload, RpcException, type RequestContext } from '@nestjs/microservices';
import { Conn, GevConnection, GevContext, OnClose, OnConnect, OnMessage, Reason } from 'nestjs-gev';
import { map, of, tap, throwError, type Observable } from 'rxjs';
import { Peer } from '../kit/peer.js';
import { serve } from '../kit/serve.js';
import { until } from '../kit/until.js';

/** What the code under test has done, in order. */
let log: unknown[] = [];

const contextOf = (context: ExecutionContext): GevContext => context.switchToRpc().getContext<GevContext>();

/** Says something, reads an answer of that length, and hangs up; waits for the close event. */
async function talk(port: number, words: string, length: number): Promise<string> {
  const peer = (await Peer.connect(port)).read();
  peer.write(words);
  const answer = await peer.text(length);
  peer.socket.end();
  await until(() => peer.closed);
  return answer;
}

describe.each([0, 2])('enhancers on %i loops', (loops) => {
  it('C7: parameter decorators tell every handler what it is about', async () => {
    log = [];
    @Controller()
    class Curious {
      @OnConnect()
      connect(@Conn() conn: GevConnection, @Ctx() context: GevContext) {
        log.push(['connect', conn instanceof GevConnection, context.getPattern(), context.getReason()]);
      }

      @OnMessage()
      message(@Payload() data: Buffer, @Conn() conn: GevConnection, @Ctx() context: GevContext) {
        log.push(['message', data.toString(), context.getConnection() === conn]);
        return 'k';
      }

      @OnClose()
      close(@Reason() reason: string, @Conn() conn: GevConnection) {
        log.push(['close', reason, conn.state]);
      }
    }
    const { port } = await serve({ loops }, { controllers: [Curious] });
    await talk(port, 'hi', 1);
    await until(() => log.length === 3);
    expect(log).toEqual([
      ['connect', true, 'gev:connect', undefined],
      ['message', 'hi', true],
      ['close', 'peer', 'closed'],
    ]);
  });

  it('C7: guards let pass or refuse; a connection that one refuses is closed', async () => {
    log = [];
    @Injectable()
    class Bouncer implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        const gev = contextOf(context);
        log.push(`${context.getType()} ${gev.getPattern()}`);
        if (gev.getPattern() !== 'gev:message') return gev.getConnection().data.banned === undefined;
        return context.switchToRpc().getData<Buffer>().toString() !== 'forbidden';
      }
    }
    @Controller()
    @UseGuards(Bouncer)
    class Guarded {
      @OnConnect()
      connect() {
        log.push('connect');
      }

      @OnMessage()
      message(data: Buffer) {
        return data;
      }

      @OnClose()
      close() {
        log.push('close');
      }
    }
    class Deny implements CanActivate {
      canActivate(): boolean {
        return false;
      }
    }
    @Controller()
    class Closed {
      @UseGuards(Deny)
      @OnConnect()
      connect() {
        log.push('never');
      }
    }
    const open = await serve({ loops }, { controllers: [Guarded] });
    const peer = (await Peer.connect(open.port)).read();
    peer.write('forbidden');
    await until(() => log.includes('rpc gev:message'));
    await until(() => open.lines.length > 0);
    peer.write('allowed');
    expect(await peer.text(7)).toBe('allowed');
    peer.socket.end();
    await until(() => log.includes('close'));
    expect(log).toEqual([
      ...['rpc gev:connect', 'connect', 'rpc gev:message', 'rpc gev:message', 'rpc gev:close', 'close'],
    ]);

    const shut = await serve({ loops }, { controllers: [Closed] });
    const refused = (await Peer.connect(shut.port)).read();
    await until(() => refused.closed);
    expect(shut.lines[0]).toContain('Closed.connect refused connection');
    expect(log).not.toContain('never');
  });

  it('C7: pipes transform and reject what comes in', async () => {
    class Upper implements PipeTransform {
      transform(value: unknown): unknown {
        if (!Buffer.isBuffer(value)) return value;
        if (value.includes('bad')) throw new RpcException('bad words');
        return value.toString().toUpperCase();
      }
    }
    @Controller()
    class Piped {
      @UsePipes(Upper)
      @OnMessage()
      message(@Payload() data: string) {
        return data;
      }
    }
    @Controller()
    class ByParameter {
      @OnMessage()
      message(@Payload(Upper) data: string) {
        return data;
      }
    }
    for (const controller of [Piped, ByParameter]) {
      const service = await serve({ loops }, { controllers: [controller] });
      const peer = (await Peer.connect(service.port)).read();
      peer.write('bad');
      await until(() => service.lines.length === 1);
      peer.write('good');
      expect(await peer.text(4)).toBe('GOOD');
      expect(service.lines[0]).toMatch(/\.message failed on .*: bad words$/);
    }
  });

  it('C7: interceptors wrap every handler', async () => {
    log = [];
    class Around implements NestInterceptor {
      intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
        const event = contextOf(context).getPattern();
        log.push(`before ${event}`);
        return next.handle().pipe(
          map((value?: string | Buffer) => value && `<${value.toString()}>`),
          tap({ complete: () => log.push(`after ${event}`) }),
        );
      }
    }
    @Controller()
    @UseInterceptors(Around)
    class Wrapped {
      @OnConnect()
      async connect() {
        return 'hello';
      }

      @OnMessage()
      message(data: Buffer) {
        return data.toString() === 'many' ? of('1', '2', '3') : data;
      }

      @OnClose()
      close() {
        log.push('close');
      }
    }
    const { port } = await serve({ loops }, { controllers: [Wrapped] });
    const peer = (await Peer.connect(port)).read();
    expect(await peer.text(7)).toBe('<hello>');
    peer.write('one');
    expect(await peer.text(5)).toBe('<one>');
    peer.write('many');
    expect(await peer.text(9)).toBe('<1><2><3>');
    peer.socket.end();
    await until(() => log.includes('after gev:close'));
    const around = (event: string) => [`before gev:${event}`, `after gev:${event}`];
    expect(log).toEqual([
      ...around('connect'),
      ...around('message'),
      ...around('message'),
      ...['before gev:close', 'close', 'after gev:close'],
    ]);
  });

  it('C7: exception filters answer for a handler that failed', async () => {
    @Catch(RangeError)
    class Apology implements ExceptionFilter<RangeError> {
      catch(error: RangeError, host: ArgumentsHost): Observable<string> {
        const { id } = host.switchToRpc().getContext<GevContext>().getConnection();
        return of(`sorry ${typeof id}: ${error.message}`);
      }
    }
    @Catch()
    class Rethrow implements ExceptionFilter {
      catch(error: Error): Observable<never> {
        return throwError(() => new Error(`filtered ${error.message}`));
      }
    }
    @Controller()
    class Clumsy {
      @UseFilters(Apology)
      @OnMessage()
      message(data: Buffer) {
        if (data.toString() === 'fail') throw new RangeError('too far');
        return data;
      }

      @UseFilters(Rethrow)
      @OnClose()
      close() {
        throw new Error('in close');
      }
    }
    const service = await serve({ loops }, { controllers: [Clumsy] });
    expect(await talk(service.port, 'fail', 21)).toBe('sorry number: too far');
    await until(() => service.lines.length > 0);
    expect(service.lines).toEqual([
      expect.stringMatching(/^Clumsy.close failed on connection .*: filtered in close$/),
    ]);
  });

  it('C7: request-scoped providers and controllers are made for each call', async () => {
    let made = 0;
    @Injectable({ scope: Scope.REQUEST })
    class Visit {
      readonly number = ++made;
      constructor(@Inject(CONTEXT) readonly request: RequestContext<unknown, GevContext>) {}
    }
    @Controller()
    class Scoped {
      constructor(private readonly visit: Visit) {}

      @OnConnect()
      connect(@Conn() conn: GevConnection) {
        return this.tell('connect', conn);
      }

      @OnMessage()
      message(@Conn() conn: GevConnection) {
        return this.tell('message', conn);
      }

      @OnClose()
      close(@Conn() conn: GevConnection) {
        log.push(this.tell('close', conn));
      }

      private tell(event: string, conn: GevConnection): string {
        const same = this.visit.request.getContext().getConnection() === conn;
        return `${event} ${this.visit.number} ${same};`;
      }
    }
    log = [];
    const { port } = await serve({ loops }, { controllers: [Scoped], providers: [Visit] });
    const peer = (await Peer.connect(port)).read();
    expect(await peer.text(15)).toBe('connect 1 true;');
    peer.write('x');
    expect(await peer.text(15)).toBe('message 2 true;');
    peer.write('x');
    expect(await peer.text(15)).toBe('message 3 true;');
    peer.socket.end();
    await until(() => log.length > 0);
    expect(log).toEqual(['close 4 true;']);
  });
});
