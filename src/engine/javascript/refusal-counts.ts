import type { RefusalNews } from '../inbound-listener.js';
import { type GevRefusal, REFUSALS } from '../refusals.js';

const INTERVAL_MS = 1000;

/** Counts sockets that never became open connections, and tells of each cause at most once a second. */
export class RefusalCounts {
  /** In the order of {@link REFUSALS}. */
  readonly counts: number[] = REFUSALS.map(() => 0);
  private readonly told = REFUSALS.map(() => ({ at: -Infinity, count: 0 }));

  constructor(private readonly tell: (news: RefusalNews) => void) {}

  count(cause: GevRefusal, remoteHost: string, detail = ''): void {
    const index = REFUSALS.indexOf(cause);
    const total = ++this.counts[index]!;
    const told = this.told[index]!;
    const now = performance.now();
    if (now - told.at < INTERVAL_MS) return;
    const count = total - told.count;
    told.at = now;
    told.count = total;
    this.tell({ cause, count, remoteHost, detail });
  }
}
