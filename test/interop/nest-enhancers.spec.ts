import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Inject,
  Injectable,
  ParseIntPipe,
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
import {
  CONTEXT,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  type ClientTCP,
  type RequestContext,
} from '@nestjs/microservices';
import { Conn, GevConnection, GevContext } from 'nestjs-gev';
import { firstValueFrom, from, lastValueFrom, map, tap, throwError, toArray, type Observable } from 'rxjs';
import { nestClient, serveRpc } from '../kit/rpc.js';
import { pause, until } from '../kit/until.js';

let log: unknown[] = [];
const contextOf = (context: ExecutionContext | ArgumentsHost): GevContext =>
  context.switchToRpc().getContext<GevContext>();

@Injectable()
class NotForbidden implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    log.push(`guard ${context.getType()} ${contextOf(context).getPattern()}`);
    return context.switchToRpc().getData() !== 'forbidden';
  }
}

@Injectable()
class Trim implements PipeTransform<unknown> {
  transform(value: unknown): unknown {
    return typeof value === 'string' ? value.trim() : value;
  }
}

@Injectable()
class Timed implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    log.push('before');
    return next.handle().pipe(
      map((value) => `<${String(value)}>`),
      tap({ complete: () => log.push('after') }),
    );
  }
}

class Refusal extends Error {}

@Catch(Refusal)
class Polite implements ExceptionFilter<Refusal> {
  catch(error: Refusal, host: ArgumentsHost): Observable<never> {
    const { id } = contextOf(host).getConnection();
    return throwError(() => ({ code: 'REFUSED', message: error.message, connection: id > 0 }));
  }
}

@Controller()
@UseGuards(NotForbidden)
@UsePipes(Trim)
@UseInterceptors(Timed)
@UseFilters(Polite)
class Enhanced {
  @MessagePattern('say')
  say(@Payload() text: string): string {
    log.push(`say ${text}`);
    if (text === 'refuse') throw new Refusal('not today');
    return text;
  }

  @MessagePattern('all')
  all(@Payload() values: string[]): Observable<string> {
    return from(values);
  }

  @MessagePattern('field')
  field(@Payload('number', ParseIntPipe) number: number): string {
    return typeof number;
  }

  @EventPattern('note')
  note(@Payload() text: string): void {
    log.push(`note ${text}`);
  }
}

@Controller()
class Inspecting {
  @MessagePattern('inspect')
  inspect(@Payload() data: unknown, @Ctx() context: GevContext, @Conn() connection: GevConnection): unknown {
    return {
      data,
      pattern: context.getPattern(),
      metadata: context.getMetadata() ?? 'none',
      args: context.getArgs().length,
      connection: context.getConnection() === connection && connection instanceof GevConnection,
      aborted: context.signal.aborted,
    };
  }

  @EventPattern({ inspect: 'event' })
  event(@Payload() data: unknown, @Ctx() context: GevContext): void {
    log.push([data, context.getPattern(), context.getMetadata()]);
  }
}

let created = 0;

@Injectable({ scope: Scope.REQUEST })
class Visit {
  readonly number = ++created;
  constructor(@Inject(CONTEXT) readonly request: RequestContext<unknown, GevContext>) {}
}

@Controller()
class Scoped {
  constructor(@Inject(Visit) private readonly visit: Visit) {}

  @MessagePattern('visit')
  async who(@Payload() data: number): Promise<unknown> {
    const { number } = this.visit;
    await pause(1);
    const { request } = this.visit;
    return {
      same: number === this.visit.number,
      number,
      data: request.getData() === data,
      pattern: request.getPattern(),
      context: request.getContext() instanceof GevContext,
    };
  }

  @MessagePattern('visits')
  stream(@Payload() count: number): Observable<number> {
    return from(Array.from({ length: count }, () => this.visit.number));
  }

  @EventPattern('visited')
  visited(@Payload() data: unknown): void {
    log.push([data, this.visit.number > 0]);
  }
}

describe.each([0, 2])("enhancers for Nest's client on %i loops", (loops) => {
  const start = async () => {
    log = [];
    const { port } = await serveRpc(
      { loops },
      { controllers: [Enhanced, Inspecting, Scoped], providers: [Visit] },
    );
    return nestClient(port);
  };
  const ask = (client: ClientTCP, pattern: unknown, data: unknown): Promise<any> =>
    firstValueFrom(client.send<unknown>(pattern, data));

  it('C7: guards, pipes, interceptors, filters go around requests, in their order', async () => {
    const client = await start();
    expect(await ask(client, 'say', ' hello ')).toBe('<hello>');
    expect(log).toEqual(['guard rpc say', 'before', 'say hello', 'after']);
    await expect(ask(client, 'say', 'forbidden')).rejects.toEqual({
      status: 'error',
      message: 'Forbidden resource',
    });
    await expect(ask(client, 'say', 'refuse')).rejects.toEqual({
      code: 'REFUSED',
      message: 'not today',
      connection: true,
    });
    expect(await lastValueFrom(client.send('all', ['a', 'b']).pipe(toArray()))).toEqual(['<a>', '<b>']);
    expect(await ask(client, 'field', { number: '12' })).toBe('<number>');
    await expect(ask(client, 'field', { number: 'x' })).rejects.toEqual({
      status: 'error',
      message: 'Internal server error',
    });
  });

  it('C7: and around events', async () => {
    const client = await start();
    client.emit('note', 'forbidden');
    client.emit('note', ' this ');
    await until(() => log.includes('after'));
    expect(log).toEqual(['guard rpc note', 'guard rpc note', 'before', 'note this', 'after']);
  });

  it("P2: the context tells pattern, connection and the metadata of Nest 12's dispatch hook", async () => {
    const client = await start();
    const seen = { data: { a: 1 }, pattern: 'inspect', args: 3, connection: true, aborted: false };
    expect(await ask(client, 'inspect', { a: 1 })).toEqual({ ...seen, metadata: 'none' });
    client.setOnDispatchHook((packet) => {
      packet.metadata = { trace: 'é漢😀', pattern: packet.pattern as string };
    });
    expect(await ask(client, 'inspect', { a: 1 })).toEqual({
      ...seen,
      metadata: { trace: 'é漢😀', pattern: 'inspect' },
    });
    await firstValueFrom(client.emit({ inspect: 'event' }, 5));
    await until(() => log.length === 1);
    expect(log).toEqual([[5, '{"inspect":"event"}', { trace: 'é漢😀', pattern: { inspect: 'event' } }]]);
  });

  it('C7: controllers and providers in request scope are made for each request, and know it', async () => {
    const client = await start();
    const before = created;
    const visits = await Promise.all(Array.from({ length: 20 }, (_, data) => ask(client, 'visit', data)));
    expect(new Set(visits.map(({ number }) => number as number)).size).toBe(20);
    expect(created).toBe(before + 20);
    for (const { number, ...visit } of visits) {
      expect(number).toBeGreaterThan(before);
      expect(visit).toEqual({ same: true, data: true, pattern: 'visit', context: true });
    }
    expect(await lastValueFrom(client.send('visits', 3).pipe(toArray()))).toEqual(
      Array.from({ length: 3 }, () => created),
    );
    client.emit('visited', 'x');
    await until(() => log.length === 1);
    expect(log).toEqual([['x', true]]);
  });

  it('C6: an RpcException thrown by a guard, pipe or interceptor reaches the caller', async () => {
    log = [];
    const thrower = (): never => {
      throw new RpcException('by an enhancer');
    };
    @Controller()
    class Thrown {
      @UseGuards({ canActivate: thrower })
      @MessagePattern('guard')
      guard(@Payload() data: unknown): unknown {
        return data;
      }

      @UsePipes({ transform: thrower })
      @MessagePattern('pipe')
      pipe(@Payload() data: unknown): unknown {
        return data;
      }

      @UseInterceptors({ intercept: thrower })
      @MessagePattern('interceptor')
      interceptor(@Payload() data: unknown): unknown {
        return data;
      }
    }
    const client = nestClient((await serveRpc({ loops }, Thrown)).port);
    for (const pattern of ['guard', 'pipe', 'interceptor']) {
      await expect(ask(client, pattern, 1)).rejects.toEqual({ status: 'error', message: 'by an enhancer' });
    }
  });
});
