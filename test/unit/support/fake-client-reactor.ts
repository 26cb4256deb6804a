import { Subject } from 'rxjs';
import type { ClientReactor } from '../../../src/client/pool/reactor-on-demand.js';
import type { CloseReason } from '../../../src/core/close-reason.js';
import type { GevConnection, SendCallback } from '../../../src/core/connection.js';
import type { ReactorConnection } from '../../../src/core/reactor-connection.js';
import {
  GevConnectError,
  GevConnectionClosedError,
  GevConnectionError,
  type GevError,
} from '../../../src/core/errors.js';
import type { DialTarget, ReactorHandler } from '../../../src/core/reactor.js';

interface PendingDial {
  readonly target: DialTarget;
  readonly resolve: (connection: ReactorConnection<any>) => void;
  readonly reject: (error: Error) => void;
}

/** A connection without a socket: it keeps what is sent. */
export class FakeClientConnection {
  state: GevConnection['state'] = 'open';
  attachment: unknown;
  congested = false;
  bufferedBytes = 0;
  bytesReceived = 0;
  closeReason: CloseReason | undefined;
  closeError: GevError | undefined;
  readonly closed$ = new Subject<CloseReason>();
  /** The first word of the client. */
  hello: any;
  /** What was sent after it, as values. */
  readonly sent: any[] = [];
  readonly texts: string[] = [];
  private readonly unsettled: SendCallback[] = [];

  constructor(private readonly reactor: FakeClientReactor) {}

  get real(): ReactorConnection<any> {
    return this as unknown as ReactorConnection<any>;
  }

  get bytesArrived(): number {
    return this.bytesReceived;
  }

  sendFrame(pieces: readonly string[], callback?: SendCallback): boolean {
    const text = pieces.join('');
    if (this.state !== 'open') throw new GevConnectionClosedError();
    if (this.hello === undefined && text.includes('"gev:hello"')) {
      this.hello = JSON.parse(text);
      return true;
    }
    this.texts.push(text);
    this.sent.push(JSON.parse(text));
    if (callback !== undefined) this.unsettled.push(callback);
    return true;
  }

  transmit(text: string, callback?: SendCallback): boolean {
    return this.sendFrame([text], callback);
  }

  close(): void {
    this.closeFor('local');
  }

  failSilent(): void {
    this.closeFor('reset');
  }

  failProtocol(): void {
    this.closeFor('protocol');
  }

  closeFor(reason: CloseReason): void {
    if (this.state !== 'open') return;
    this.state = 'closing';
    this.closeReason = reason;
  }

  /** The kernel takes what was sent. */
  flush(): void {
    for (const settle of this.unsettled.splice(0)) settle();
  }

  /** The server sends this. */
  reply(packet: object): void {
    this.text(JSON.stringify(packet));
  }

  text(text: string): void {
    this.bytesReceived += text.length;
    this.reactor.handler.onText(this.real, text, 0, 0, 0);
  }

  /** The server says FIN. */
  end(): void {
    this.reactor.handler.onEnd(this.real);
  }

  /** It is gone. */
  drop(reason: CloseReason = 'reset', code?: string | GevError): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.closeReason = reason;
    if (code !== undefined) this.closeError = typeof code === 'string' ? new GevConnectionError(code) : code;
    this.settleAll();
    this.reactor.handler.onClose(this.real);
    this.closed$.next(reason);
  }

  /** The kernel never takes what it has not taken yet. */
  settleAll(): void {
    const error = new GevConnectionClosedError(this.closeReason);
    for (const settle of this.unsettled.splice(0)) settle(error);
  }
}

/** Stands in for the native reactor of a client: tests play the network's part. */
export class FakeClientReactor implements ClientReactor {
  readonly connections: FakeClientConnection[] = [];
  readonly calls: string[] = [];
  readonly dials: PendingDial[] = [];
  /** Answers dials by itself: 'accept', or the code of an error. Undefined: the test does it. */
  answer: string | undefined;
  stopped = false;

  constructor(readonly handler: ReactorHandler) {}

  start = async () => void this.calls.push('start');

  connect = (target: DialTarget): Promise<ReactorConnection<any>> => {
    this.calls.push(`dial ${nameOf(target)}`);
    return new Promise((resolve, reject) => {
      this.dials.push({ target, resolve, reject });
      if (this.answer === 'accept') this.accept();
      else if (this.answer !== undefined) this.refuse(this.answer);
    });
  };

  /** The dial that has waited longest, or that to a port, succeeds. */
  accept(port?: number): FakeClientConnection {
    const connection = new FakeClientConnection(this);
    this.connections.push(connection);
    this.handler.onOpen(connection.real);
    this.take(port).resolve(connection.real);
    return connection;
  }

  /** It fails. */
  refuse(code = 'ECONNREFUSED', port?: number): void {
    const { target, reject } = this.take(port);
    const where = 'path' in target ? target : { address: target.host, port: target.port };
    reject(new GevConnectError(code, where));
  }

  unref = (): void => undefined;

  finish = (connection: GevConnection) => (connection as unknown as FakeClientConnection).closeFor('peer');

  closeAll = async () => void this.calls.push('closeAll');

  stop = async () => {
    this.calls.push('stop');
    this.stopped = true;
    for (const connection of this.connections) connection.settleAll();
  };

  private take(port: number | undefined): PendingDial {
    const index = this.dials.findIndex(
      ({ target }) => port === undefined || ('port' in target && target.port === port),
    );
    if (index < 0) throw new Error('Nobody dials');
    return this.dials.splice(index, 1)[0]!;
  }
}

function nameOf(target: DialTarget): string {
  return 'path' in target ? target.path : `${target.host}:${target.port}`;
}

/** Lets promise jobs run. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
