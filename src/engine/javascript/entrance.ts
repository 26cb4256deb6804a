import type { Socket } from 'node:net';
import type { AccessRules } from '../address-ranges.js';
import type { EngineOptions } from '../engine-options.js';
import type { RefusalNews } from '../inbound-listener.js';
import type { GevRefusal } from '../refusals.js';
import { AcceptFilter } from './accept-filter.js';
import { RefusalCounts } from './refusal-counts.js';

/** Lets sockets in that listeners accept, or ends them, and counts both. */
export class Entrance {
  accepted = 0;
  readonly refusals: RefusalCounts;
  private readonly filter: AcceptFilter;

  constructor(
    private readonly options: EngineOptions,
    /** Connections that are open. */
    private readonly open: () => number,
    tell: (news: RefusalNews) => void,
  ) {
    this.filter = new AcceptFilter(options);
    this.refusals = new RefusalCounts(tell);
  }

  /** Those that come in from now on are asked by these. */
  setRules(rules: AccessRules): void {
    this.filter.setRules(rules);
  }

  /** Whether it may come in, from that address. It counts for it until it closes. */
  admit(socket: Socket, remoteHost: string): boolean {
    const refusal = this.refusalOf(remoteHost);
    if (refusal !== undefined) {
      this.refuse(socket, refusal, remoteHost);
      return false;
    }
    this.accepted++;
    socket.once('close', () => this.filter.leave(remoteHost));
    return true;
  }

  refuse(socket: Socket, refusal: GevRefusal, remoteHost: string, detail?: string): void {
    this.refusals.count(refusal, remoteHost, detail);
    socket.on('error', () => undefined);
    socket.destroy();
  }

  private refusalOf(remoteHost: string): GevRefusal | undefined {
    const { maxConnections } = this.options;
    let refusal = this.filter.admit(remoteHost);
    if (refusal !== undefined) return refusal;
    if (!this.filter.pass()) refusal = 'acceptRate';
    else if (maxConnections > 0 && this.open() >= maxConnections) refusal = 'maxConnections';
    if (refusal !== undefined) this.filter.leave(remoteHost);
    return refusal;
  }
}
