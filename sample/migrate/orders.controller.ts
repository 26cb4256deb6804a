import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { interval, map, ReplaySubject, take, type Observable } from 'rxjs';

export type OrderState = 'placed' | 'paid' | 'shipped' | 'delivered';

export interface Order {
  readonly id: number;
  readonly item: string;
}

const AFTER_PLACING: readonly OrderState[] = ['paid', 'shipped', 'delivered'];

/** A shop. Nothing in it knows the transport. */
@Controller()
export class OrdersController {
  private readonly histories: ReplaySubject<OrderState>[] = [];

  /** A request. */
  @MessagePattern({ cmd: 'place' })
  place(@Payload('item') item: string): Order {
    if (!item) throw new RpcException('Say what you want to order');
    const history = new ReplaySubject<OrderState>();
    history.next('placed');
    return { id: this.histories.push(history), item };
  }

  /** An event. A real shop would then hear of the parcel from its carrier. */
  @EventPattern('paid')
  paid(@Payload('id') id: number): void {
    interval(100)
      .pipe(
        take(AFTER_PLACING.length),
        map((index) => AFTER_PLACING[index]!),
      )
      .subscribe(this.historyOf(id));
  }

  /** A stream: what has happened to an order so far, and what happens next, until it is delivered. */
  @MessagePattern('track')
  track(@Payload('id') id: number): Observable<OrderState> {
    return this.historyOf(id);
  }

  private historyOf(id: number): ReplaySubject<OrderState> {
    const history = this.histories[id - 1];
    if (history === undefined) throw new RpcException(`There is no order ${id}`);
    return history;
  }
}
