import { Controller, Inject } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { Conn, GevClient, GevConnection, GevContext, OnConnect, RunEvery } from 'nestjs-gev';
import type { Observable } from 'rxjs';

export interface Session {
  calls: number;
}

@Controller()
export class AppController {
  ticks = 0;

  constructor(@Inject('SELF') private readonly self: GevClient) {}

  @OnConnect()
  welcome(@Conn() conn: GevConnection<Session>): void {
    conn.data.calls = 0;
  }

  @MessagePattern('sum')
  sum(@Payload() numbers: number[], @Ctx() context: GevContext<Session>): number {
    context.getConnection().data.calls++;
    return numbers.reduce((sum, number) => sum + number, 0);
  }

  @MessagePattern('calls')
  calls(@Ctx() context: GevContext<Session>): number {
    return context.getConnection().data.calls;
  }

  @MessagePattern('relay')
  relay(@Payload() numbers: number[]): Observable<number> {
    return this.self.send<number>('sum', numbers);
  }

  @MessagePattern('ticks')
  countTicks(): number {
    return this.ticks;
  }

  @RunEvery(5)
  tick(): void {
    this.ticks++;
  }
}
