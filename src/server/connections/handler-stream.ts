import { Subscription, type Observable } from 'rxjs';
import type { ReactorConnection } from '../../core/reactor-connection.js';
import { OverflowGate, type OverflowPolicy } from '../admission/overflow-gate.js';
import { unsubscribe } from '../handlers/nest-handler.js';
import type { ConnectionHandler } from './connection-handlers.js';

/** What a stream needs of the connection that its values go to. */
export interface StreamScope {
  readonly connection: ReactorConnection;
  readonly closed: boolean;
  readonly overflow: OverflowPolicy;
  /** How long streams may go on that begin now; undefined: without end. */
  readonly streamLimit: { readonly ms: number } | undefined;
  /** Sends what the handler returned. */
  reply(value: unknown, handler: ConnectionHandler): void;
  /** Stops the stream when the connection closes, if it has not ended before. */
  hold(stream: HandlerStream): void;
  letGo(stream: HandlerStream): void;
  /** The teardown of an Observable that a handler returned has thrown. */
  reportTeardown(error: unknown): void;
}

/**
 * An Observable that a connection handler returned. Its values are written as they come, until it ends or the connection closes.
 *
 * `settled` is called once: when the handler has done what others wait for. That is at once for an Observable that the
 * method itself returned. Where an interceptor wraps the method, the Observable is all one sees of it and the method
 * runs only on subscription: then it is the first value, the completion or the error. `ended` is called once, last.
 */
export abstract class HandlerStream {
  private readonly subscription = new Subscription();
  private begun = false;
  private limited = false;
  private isSettled = false;
  private hasFailed = false;

  constructor(
    protected readonly scope: StreamScope,
    protected readonly handler: ConnectionHandler,
  ) {}

  protected abstract settled(): void;
  protected abstract failed(error: unknown): void;
  protected abstract ended(): void;

  start(source: Observable<unknown>): void {
    const { scope, handler } = this;
    if (scope.closed) {
      this.settle();
      this.ended();
      return;
    }
    const lazy = handler.isLazy();
    const { subscription } = this;
    const gate = new OverflowGate(scope.connection, scope.overflow, (value) => scope.reply(value, handler));
    const end = (): void => this.stop();
    const fail = (error: unknown): void => {
      this.hasFailed = true;
      gate.release();
      this.failed(error);
      end();
    };
    try {
      subscription.add(
        source.subscribe({
          next: (value) => {
            gate.push(value);
            this.settle();
            if (!this.begun) this.begin();
          },
          error: fail,
          complete: () => {
            gate.release();
            end();
          },
        }),
      );
    } catch (error) {
      // Of an Observable of RxJS only the teardown can throw, once it has ended.
      if (subscription.closed) scope.reportTeardown(error);
      else fail(error);
    }
    subscription.add(() => gate.close());
    handler.learn(lazy, this.hasFailed);
    if (!lazy) this.settle();
    subscription.add(() => {
      this.settle();
      this.ended();
    });
    if (subscription.closed) return;
    scope.hold(this);
    subscription.add(() => scope.letGo(this));
  }

  /** Unsubscribes. */
  stop(): void {
    const { scope } = this;
    unsubscribe(this.subscription, (error) => scope.reportTeardown(error));
  }

  /**
   * Ends it in the midst of its values, unless it has a time limit of its own. One that has brought none yet may still be a
   * plain reply.
   */
  endOld(): void {
    if (this.begun && !this.limited) this.stop();
  }

  private begin(): void {
    this.begun = true;
    const limit = this.scope.streamLimit;
    if (limit === undefined) return;
    this.limited = true;
    const timer = setTimeout(() => this.stop(), limit.ms).unref();
    this.subscription.add(() => clearTimeout(timer));
  }

  private settle(): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.settled();
  }
}
