import type { GevRequestBalance } from '../gev.client.options.js';
import type { Link } from './link.js';

/** Picks a connection for each request. */
export class Balancer {
  private available: readonly Link[] = [];
  private turn = 0;
  private readonly leastInFlight: boolean;

  constructor(balance: GevRequestBalance) {
    this.leastInFlight = balance === 'least-in-flight';
  }

  /** Nothing is up. */
  get empty(): boolean {
    return this.available.length === 0;
  }

  /**
   * Something has changed. An endpoint that is left out is used only if all are.
   *
   * @param links of each endpoint
   */
  arrange(links: readonly (readonly Link[])[]): void {
    const all = interleave(links);
    const answering = all.filter((link) => !link.endpoint.ejected);
    this.available = answering.length > 0 ? answering : all;
  }

  /**
   * Undefined when no connection can take a request. A doubtful one is passed over while there is another.
   */
  pick(): Link | undefined {
    const { available } = this;
    const { length } = available;
    let best: Link | undefined;
    let doubtful: Link | undefined;
    for (let step = 0; step < length; step++) {
      if (++this.turn >= length) this.turn = 0;
      const link = available[this.turn]!;
      if (!link.usable) continue;
      if (link.doubtful) doubtful ??= link;
      else if (!this.leastInFlight) return link;
      else if (best === undefined || link.session.inFlight < best.session.inFlight) best = link;
    }
    // The one after the last taken comes first the next time: equals take turns.
    if (best !== undefined) this.turn = available.indexOf(best);
    return best ?? doubtful;
  }
}

/** The first of each, the second of each, and so on: neighbours lead to different endpoints. */
function interleave(rows: readonly (readonly Link[])[]): Link[] {
  const longest = Math.max(...rows.map((row) => row.length));
  return Array.from({ length: longest }, (_, column) =>
    rows.flatMap((row) => row.slice(column, column + 1)),
  ).flat();
}
