import type { MessageHandler } from '@nestjs/microservices';
import type { GevConnection } from '../core/connection.js';
import type { ErrorLog } from '../core/error-log.js';
import type { GevError } from '../core/errors.js';
import type { ResolvedGevServerOptions, ResolvedListener } from '../core/options.js';
import { Admission } from './admission/admission.js';
import type { OverflowPolicy } from './admission/overflow-gate.js';
import { Turns } from './admission/turns.js';
import { WaitGroup } from './admission/wait-group.js';
import { ConnectionAges } from './connections/connection-ages.js';
import { ConnectionEvents } from './connections/connection-events.js';
import type { ConnectionHandler, ConnectionHandlers } from './connections/connection-handlers.js';
import { carriesPackets, formatOf, protocolOf } from './connections/connection-protocol.js';
import { ConnectionReports } from './connections/connection-reports.js';
import { ErrorReplies } from './handlers/error-replies.js';
import type { ConnectionEvent } from './handlers/handler-marker.js';
import type { NestSteps } from './handlers/nest-steps.js';
import { FormatReplies } from './rpc/format-replies.js';
import { PlainReplies, type Replies, SerializedReplies } from './rpc/replies.js';
import { RouteTable } from './rpc/route-table.js';
import { RpcReports } from './rpc/rpc-reports.js';
import { RpcServer } from './rpc/rpc-server.js';

/** What a server puts in. */
export interface ServerParts {
  readonly options: ResolvedGevServerOptions;
  /** Of connection events. */
  readonly connectionHandlers: ConnectionHandlers;
  /** Of patterns, by their normalised text. */
  readonly patternHandlers: ReadonlyMap<string, MessageHandler>;
  readonly steps: NestSteps;
  readonly log: ErrorLog;
  /** Where packets are carried: a handler has returned what is not sent. Told once each. */
  readonly onUnsent: (handler: string) => void;
  /** `overflow` has dropped values. */
  readonly onDropped: (count: number) => void;
  /** A connection has been accepted, and no message of it was handled yet. */
  readonly onConnection: (connection: GevConnection) => void;
  readonly onError: (error: GevError) => void;
}

/** Puts together what a server runs with from one listen to the next. */
export function assemble(parts: ServerParts): ConnectionEvents {
  const { options, log, onDropped, onConnection, onError } = parts;
  const { listeners, highWaterMark, closeTimeout, handshakeTimeout } = options;
  const { overflow, overflowLimit, maxConnectionAge, drainTimeout, maxInFlight } = options;
  const reports = new ConnectionReports(log, handshakeTimeout, parts.onUnsent);
  const turns = new Turns((error) => reports.uncaught(error));
  const shared: SharedParts = {
    work: new WaitGroup(),
    turns,
    overflow: { overflow, overflowLimit, onDropped },
    admission: new Admission(maxInFlight, turns),
  };
  const rpc = new RpcAssembly(parts, shared, reports);
  return new ConnectionEvents({
    ...shared,
    connectHandlers: connectionHandlersOf(parts, 'connect'),
    messageHandlers: connectionHandlersOf(parts, 'message'),
    closeHandlers: connectionHandlersOf(parts, 'close'),
    maxQueuedBytes: highWaterMark,
    closeTimeout,
    ages: maxConnectionAge === 0 ? undefined : new ConnectionAges(maxConnectionAge, drainTimeout),
    protocols: listeners.map((listener) =>
      protocolOf(listener, carriesPackets(listener.codec) ? rpc.serverOf(listener) : undefined),
    ),
    errors: rpc.errors,
    reports,
    onConnection,
    onError,
  });
}

/** What handlers of connection events and of patterns share. */
interface SharedParts {
  readonly work: WaitGroup;
  readonly turns: Turns;
  readonly overflow: OverflowPolicy;
  readonly admission: Admission;
}

/** Makes the RPC side of listeners. */
class RpcAssembly {
  readonly errors: ErrorReplies;
  private readonly routes: RouteTable;
  private readonly reports: RpcReports;
  private readonly nestReplies: Replies;

  constructor(
    private readonly parts: ServerParts,
    private readonly shared: SharedParts,
    connections: ConnectionReports,
  ) {
    const { options, patternHandlers, steps, log } = parts;
    const { serializer, errors } = options;
    this.routes = new RouteTable(
      patternHandlers,
      (pattern) => steps.findHandler(pattern),
      (handler) => steps.aroundPattern(handler),
      steps.findsHandlers,
    );
    this.reports = new RpcReports(log, this.routes, (error) => connections.countLate(error));
    this.errors = new ErrorReplies(errors, (error) => this.reports.unencodable(error));
    this.nestReplies = serializer === undefined ? new PlainReplies() : new SerializedReplies(serializer);
  }

  serverOf({ codec, concurrency }: ResolvedListener): RpcServer {
    const { routes, reports, errors, parts, shared, nestReplies } = this;
    const format = formatOf(codec);
    return new RpcServer({
      ...shared,
      ...{ routes, reports, errors, concurrency },
      deserializer: parts.options.deserializer,
      ordered: format !== undefined,
      replies: format === undefined ? nestReplies : new FormatReplies(format),
      handleEvent: parts.steps.handleEvent,
    });
  }
}

function connectionHandlersOf(
  { connectionHandlers, steps }: ServerParts,
  event: ConnectionEvent,
): ConnectionHandler[] {
  return connectionHandlers.of(event, (handler, marker) => steps.ofConnection(handler, marker));
}
