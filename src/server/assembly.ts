import type { MessageHandler } from '@nestjs/microservices';
import type { GevConnection } from '../core/connection.js';
import type { ErrorLog } from '../core/error-log.js';
import type { GevError } from '../core/errors.js';
import type { ResolvedListener } from '../core/listener-options.js';
import type { ResolvedGevServerOptions } from '../core/options.js';
import { notationOf } from '../protocol/nest-packets.js';
import { formatOf } from '../protocol/packets.js';
import { type GevPacketNotation, JSON_NOTATION } from '../protocol/packet-notation.js';
import { Admission } from './admission/admission.js';
import type { OverflowPolicy } from './admission/overflow-gate.js';
import { Turns } from './admission/turns.js';
import { WaitGroup } from './admission/wait-group.js';
import { ConnectionAges } from './connections/connection-ages.js';
import { ConnectionEvents } from './connections/connection-events.js';
import type { ConnectionHandler, ConnectionHandlers } from './connections/connection-handlers.js';
import { carriesPackets, protocolOf } from './connections/connection-protocol.js';
import { ConnectionReports } from './connections/connection-reports.js';
import { ErrorReplies } from './handlers/error-replies.js';
import type { ConnectionEvent } from './handlers/handler-marker.js';
import type { NestSteps } from './handlers/nest-steps.js';
import { FormatReplies } from './rpc/format-replies.js';
import { NotedReplies, PlainReplies, type Replies, SerializedReplies } from './rpc/replies.js';
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

  constructor(
    private readonly parts: ServerParts,
    private readonly shared: SharedParts,
    connections: ConnectionReports,
  ) {
    const { options, patternHandlers, steps, log } = parts;
    const { errors } = options;
    this.routes = new RouteTable(
      patternHandlers,
      (pattern) => steps.findHandler(pattern),
      (handler) => steps.aroundPattern(handler),
      steps.findsHandlers,
    );
    this.reports = new RpcReports(log, this.routes, (error) => connections.countLate(error));
    this.errors = new ErrorReplies(errors, (error) => this.reports.unencodable(error));
  }

  serverOf({ codec, concurrency }: ResolvedListener): RpcServer {
    const { routes, reports, errors, parts, shared } = this;
    const format = formatOf(codec);
    const notation = notationOf(codec);
    return new RpcServer({
      ...shared,
      ...{ routes, reports, errors, concurrency },
      deserializer: parts.options.deserializer,
      notation,
      ordered: format !== undefined,
      replies: format === undefined ? this.nestReplies(notation!) : new FormatReplies(format),
      handleEvent: parts.steps.handleEvent,
    });
  }

  private nestReplies(notation: GevPacketNotation<unknown>): Replies {
    const { serializer } = this.parts.options;
    if (serializer !== undefined) return new SerializedReplies(serializer, notation);
    return notation === JSON_NOTATION ? new PlainReplies() : new NotedReplies(notation);
  }
}

function connectionHandlersOf(
  { connectionHandlers, steps }: ServerParts,
  event: ConnectionEvent,
): ConnectionHandler[] {
  return connectionHandlers.of(event, (handler, marker) => steps.ofConnection(handler, marker));
}
