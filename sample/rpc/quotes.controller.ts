import { setTimeout } from 'node:timers/promises';
import { Controller, Logger } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { GevContext, OnClose } from 'nestjs-gev';
import { finalize, map, timer, type Observable } from 'rxjs';

export interface Sale {
  readonly of: string;
  readonly price: number;
}

@Controller()
export class QuotesController {
  private readonly logger = new Logger('rpc');
  private readonly prices = new Map([
    ['gold', 2400],
    ['silver', 30],
  ]);

  /** A request. */
  @MessagePattern({ cmd: 'price' })
  price(@Payload('of') metal: string): number {
    const price = this.prices.get(metal);
    if (price === undefined) throw new RpcException(`Nobody sells ${metal} here`);
    return price;
  }

  /** An event: nobody waits for an answer. */
  @EventPattern('sold')
  sold(@Payload() { of, price }: Sale): void {
    this.prices.set(of, price);
    this.logger.log(`${of} was sold at ${price}`);
  }

  /** A stream. It has no end; with the client's interest it stops, or with its connection. */
  @MessagePattern('follow')
  follow(@Payload('of') metal: string): Observable<number> {
    return timer(0, 100).pipe(
      map((rise) => this.price(metal) + rise),
      finalize(() => this.logger.log(`${metal} is followed no more`)),
    );
  }

  /** Work that takes its time. The signal fires when nobody waits for the outcome any more. */
  @MessagePattern({ cmd: 'appraise' })
  async appraise(@Payload('of') metal: string, @Ctx() { signal }: GevContext): Promise<number> {
    signal.addEventListener('abort', () => this.logger.log(`the appraisal of ${metal} is given up`));
    for (let expert = 1; expert <= 100 && !signal.aborted; expert++) await setTimeout(50);
    return this.price(metal);
  }

  /** Connection events work beside RPC. */
  @OnClose()
  left(): void {
    this.logger.log('a client has left');
  }
}
