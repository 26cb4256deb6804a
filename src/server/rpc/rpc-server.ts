import type { Admission } from '../admission/admission.js';
import type { OverflowPolicy } from '../admission/overflow-gate.js';
import type { ErrorReplies } from '../handlers/error-replies.js';
import type { Turns } from '../admission/turns.js';
import { PacketDispatcher, type PacketDispatcherSetup } from './packet-dispatcher.js';
import type { Replies } from './replies.js';
import type { RpcPeerSetup } from './rpc-peer.js';
import type { RpcReports } from './rpc-reports.js';

/** What {@link RpcServer} needs to know. */
export interface RpcSetup extends PacketDispatcherSetup, RpcPeerSetup {
  /** Requests that wait for those before them to be answered do so for as long as that takes. */
  readonly ordered: boolean;
  readonly turns: Turns;
}

/** The RPC side of a server: what its connections share. */
export class RpcServer implements RpcPeerSetup {
  readonly replies: Replies;
  readonly errors: ErrorReplies;
  readonly overflow: OverflowPolicy;
  readonly concurrency: number;
  readonly admission: Admission;
  readonly turns: Turns;
  readonly ordered: boolean;
  readonly reports: RpcReports;
  private readonly dispatchers: PacketDispatcher[] = [];

  constructor(private readonly setup: RpcSetup) {
    this.replies = setup.replies;
    this.errors = setup.errors;
    this.overflow = setup.overflow;
    this.concurrency = setup.concurrency;
    this.admission = setup.admission;
    this.turns = setup.turns;
    this.ordered = setup.ordered;
    this.reports = setup.reports;
  }

  /** Of a loop, which numbers patterns as they come. */
  dispatcherOf(loop: number): PacketDispatcher {
    return (this.dispatchers[loop] ??= new PacketDispatcher(this.setup));
  }

  /** Handlers are wrapped in another way from now on: has every route looked up anew. */
  forgetRoutes(): void {
    this.setup.routes.forget();
    for (const dispatcher of this.dispatchers) dispatcher.forgetRoutes();
  }
}
