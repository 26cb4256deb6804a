import { systemClock } from './clock.js';
import type { CloseReason } from './close-reason.js';
import { type GevConnection, nameOf } from './connection.js';
import { Deadlines } from './deadlines.js';
import { describe, GevError, GevHandlerError } from './errors.js';
import { Identities } from './identities.js';
import type { ReactorConnection } from './reactor-connection.js';
import { ReactorDials } from './reactor-dials.js';
import type { ReactorHandler } from './reactor-handler.js';
import type { ReactorListener } from './reactor-listener.js';
import type { ReactorLoop, ReactorLoopOwner } from './reactor-loop.js';
import type { ReactorTimers } from './reactor-timers.js';
import type { GevClientTlsOptions } from './tls/tls-options.js';
import type { RequestDeadlines } from './requests.js';

/** The loops of one reactor and what they share: its connections, dials and timers, and whom they tell what. */
export class ReactorState implements ReactorLoopOwner {
  readonly loops: ReactorLoop[] = [];
  readonly open = new Map<number, ReactorConnection>();
  readonly dials: ReactorDials;
  readonly identities = new Identities((error) => this.reportError(error));
  /** From its start to its stop. */
  timers: ReactorTimers | undefined;
  closing = false;
  refusedSends = 0;
  droppedAnswers = 0;
  overPartialBytes = 0;
  overTotalSendBuffer = 0;
  private readonly whenEmptied = new Set<() => void>();
  private deadlines: RequestDeadlines | undefined;

  constructor(
    readonly handler: ReactorHandler,
    readonly listeners: readonly ReactorListener[],
    dialTls: GevClientTlsOptions | undefined,
  ) {
    this.dials = new ReactorDials(dialTls);
  }

  onDialled(token: number, connection: ReactorConnection): boolean {
    return this.dials.onDialled(token, connection);
  }

  onDialFailed(token: number, errno: number): void {
    this.dials.onFailed(token, errno);
  }

  onTimer(id: number, skipped: number): void {
    this.timers?.onTick(id, skipped);
  }

  onConnectionClosed(): void {
    if (this.open.size > 0) return;
    for (const emptied of [...this.whenEmptied]) emptied();
  }

  onShed(reason: CloseReason): void {
    if (reason === 'protocol') this.overPartialBytes++;
    else if (reason === 'backpressure') this.overTotalSendBuffer++;
  }

  onRefusedSend(): void {
    this.refusedSends++;
  }

  onDroppedAnswer(connection: GevConnection<object>): void {
    if (this.droppedAnswers++ > 0) return;
    const message =
      `An answer of ${nameOf(connection)} was dropped: no request waits for it any more, or none ever had its id. It is ` +
      'said once; stats().droppedAnswers counts on. Raise the timeout of request() if the peer needs longer';
    this.reportError(new GevError('ERR_GEV_DROPPED_ANSWER', message));
  }

  get requestDeadlines(): RequestDeadlines {
    return (this.deadlines ??= new Deadlines(systemClock, (request) => request.owner.expire(request)));
  }

  /** Whoever is told must not bring down the one who tells. */
  reportError(error: GevError): void {
    try {
      this.handler.onError(error);
    } catch (thrown) {
      process.emitWarning(
        `onError of a reactor's handler failed: ${describe(thrown)}; it was told: ${error.message}`,
      );
    }
  }

  reportFailure(culprit: string, cause: unknown, connection?: GevConnection<object>): void {
    const message =
      connection === undefined ? `${culprit} failed` : `${culprit} failed on ${nameOf(connection)}`;
    this.reportError(new GevHandlerError(message, { cause, culprit }));
  }

  /** Whether the last connection closed in time, in ms. */
  whenEmpty(timeout: number): Promise<boolean> {
    if (this.open.size === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (empty: boolean): void => {
        clearTimeout(timer);
        this.whenEmptied.delete(emptied);
        resolve(empty);
      };
      const emptied = (): void => settle(true);
      const timer = setTimeout(() => settle(false), timeout);
      this.whenEmptied.add(emptied);
    });
  }
}
