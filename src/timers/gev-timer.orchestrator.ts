import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { GevTimer } from '../core/timer.js';
import type { GevServer } from '../server/gev.server.js';
import { GevServers } from '../server/gev-servers.js';
import type { RunAfterOptions, RunEveryOptions } from './gev-timer.interfaces.js';
import { GevTimerRegistry } from './gev-timer.registry.js';

interface Mount {
  readonly name: string | undefined;
  readonly label: string;
  readonly server: string | undefined;
  /** How it was written, for a message: `RunEvery(1000`. */
  readonly written: string;
  readonly begin: (server: GevServer, name: string) => GevTimer;
}

/** Sets the timers that the explorer found when the application is up, and cancels all named timers when it goes down. */
@Injectable()
export class GevTimerOrchestrator implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private mounts: Mount[] = [];

  constructor(
    private readonly servers: GevServers,
    private readonly registry: GevTimerRegistry,
  ) {}

  addInterval(label: string, fn: () => unknown, options: RunEveryOptions): void {
    const { every, name, server, overlap = false } = options;
    this.mounts.push({
      ...{ name, label, server, written: `RunEvery(${every}` },
      begin: (on, named) => on.runEvery(every, fn, { name: named, overlap }),
    });
  }

  addDelay(label: string, fn: () => unknown, { after, name, server }: RunAfterOptions): void {
    this.mounts.push({
      ...{ name, label, server, written: `RunAfter(${after}` },
      begin: (on, named) => on.runAfter(after, fn, { name: named }),
    });
  }

  onApplicationBootstrap(): void {
    const mounts = this.mounts;
    this.mounts = [];
    for (const { name: given, label, server, written, begin } of mounts) {
      const name = given ?? this.freeName(label);
      const timer = begin(this.servers.forTimer(label, server, written), name);
      try {
        this.registry.add(name, timer);
      } catch (error) {
        timer.cancel();
        throw error;
      }
    }
  }

  beforeApplicationShutdown(): void {
    for (const name of this.registry.names()) this.registry.delete(name);
  }

  /** Two classes of one name are no mistake of the user: only names that were given must differ. */
  private freeName(label: string): string {
    let name = label;
    for (let number = 2; this.registry.has(name); number++) name = `${label}#${number}`;
    return name;
  }
}
