import { lastValueFrom, type Observable } from 'rxjs';
import { MessageContext } from '../../context/gev.context.js';
import type { CloseReason } from '../../core/close-reason.js';
import type { GevConnection } from '../../core/connection.js';
import type { Reactor } from '../../core/reactor.js';
import { within } from '../../core/within.js';
import { inFreshScope } from '../../engine/fresh-scope.js';
import { WaitGroup } from '../admission/wait-group.js';
import { patternOf } from '../handlers/handler-marker.js';
import { isStream } from '../handlers/nest-handler.js';
import type { ConnectionHandler } from './connection-handlers.js';
import type { ConnectionReports } from './connection-reports.js';
import type { ConnectionScope } from './connection-scope.js';
import { HandlerStream, type StreamScope } from './handler-stream.js';

/** What {@link ConnectionLifecycle} needs to know. */
export interface ConnectionLifecycleSetup {
  readonly connectHandlers: readonly ConnectionHandler[];
  readonly closeHandlers: readonly ConnectionHandler[];
  /** How long `@OnClose` handlers wait for `@OnConnect` handlers of the same connection. */
  readonly closeTimeout: number;
  /** Connect handlers at work. */
  readonly work: WaitGroup;
  readonly reports: ConnectionReports;
  /** A connection has been accepted, and no message of it was handled yet. */
  readonly onConnection: (connection: GevConnection) => void;
}

/** Runs the `@OnConnect` handlers of connections, which admit or refuse them, and the `@OnClose` handlers. */
export class ConnectionLifecycle {
  /** Set before the reactor listens. */
  reactor!: Pick<Reactor, 'admit' | 'refuse'>;
  /** Connections whose `@OnClose` handlers are at work. */
  readonly closing = new WaitGroup();

  constructor(private readonly setup: ConnectionLifecycleSetup) {}

  get hasConnectHandlers(): boolean {
    return this.setup.connectHandlers.length > 0;
  }

  /** A connection has been accepted by the system. */
  open(scope: ConnectionScope): void {
    if (this.hasConnectHandlers) scope.connecting = this.connect(scope);
    else this.setup.onConnection(scope.connection);
  }

  /** A connection has closed. */
  close(scope: ConnectionScope): void {
    if (this.setup.closeHandlers.length > 0) void this.disconnect(scope);
  }

  private async connect(scope: ConnectionScope): Promise<void> {
    const { connection } = scope;
    scope.gate();
    await Promise.all(
      this.setup.connectHandlers.map((handler) => inFreshScope(() => this.runConnect(scope, handler))),
    );
    if (scope.closed || connection.state !== 'connecting') return;
    this.setup.onConnection(connection);
    this.reactor.admit(connection);
    scope.openGate();
  }

  private async runConnect(scope: ConnectionScope, handler: ConnectionHandler): Promise<void> {
    const context = new MessageContext([scope.connection, patternOf('connect')]);
    const refuse = (error: unknown): void => this.refuse(scope.connection, handler, error);
    this.setup.work.add(1);
    try {
      const result = await handler.call(scope.connection, context);
      if (isStream(result)) await new ConnectStream(scope, handler, refuse).run(result);
      else scope.reply(result, handler);
    } catch (error) {
      refuse(error);
    } finally {
      this.setup.work.done(1);
    }
  }

  private refuse(connection: GevConnection, handler: ConnectionHandler, error: unknown): void {
    this.setup.reports.refusal(connection, handler, error);
    this.reactor.refuse(connection);
  }

  private async disconnect(scope: ConnectionScope): Promise<void> {
    const { connection } = scope;
    this.closing.add(1);
    // What a connect handler has set up must be there before a close handler takes it down.
    if (scope.connecting !== undefined) await within(scope.connecting, this.setup.closeTimeout);
    const reason = connection.closeReason ?? 'error';
    await Promise.all(
      this.setup.closeHandlers.map((handler) =>
        inFreshScope(() => this.runClose(connection, reason, handler)),
      ),
    );
    this.closing.done(1);
  }

  private async runClose(
    connection: GevConnection,
    reason: CloseReason,
    handler: ConnectionHandler,
  ): Promise<void> {
    const context = new MessageContext([connection, patternOf('close'), undefined, reason]);
    try {
      const result = await handler.call(reason, context);
      if (isStream(result)) await lastValueFrom(result, { defaultValue: undefined });
    } catch (error) {
      this.setup.reports.failure(connection, handler, error);
    }
  }
}

/** An Observable from `@OnConnect`: a push to this connection that may go on for ever. */
class ConnectStream extends HandlerStream {
  private resolve!: () => void;

  constructor(
    scope: StreamScope,
    handler: ConnectionHandler,
    private readonly refuse: (error: unknown) => void,
  ) {
    super(scope, handler);
  }

  /** Settles, never rejects, when the connection may be admitted as far as this handler goes. */
  run(source: Observable<unknown>): Promise<void> {
    return new Promise((resolve) => {
      this.resolve = resolve;
      this.start(source);
    });
  }

  protected override settled(): void {
    this.resolve();
  }

  protected override failed(error: unknown): void {
    this.refuse(error);
  }

  protected override ended(): void {}
}
