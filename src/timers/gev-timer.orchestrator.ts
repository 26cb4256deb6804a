import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { GevTimer } from '../core/timer.js';
import { GevServer } from '../server/gev.server.js';
import type { RunAfterOptions, RunEveryOptions } from './gev-timer.interfaces.js';
import { GevTimerRegistry } from './gev-timer.registry.js';

interface Mount {
  readonly name: string | undefined;
  readonly label: string;
  readonly begin: (name: string) => GevTimer;
}

/** Sets the timers that the explorer found when the application is up, and cancels all named timers when it goes down. */
@Injectable()
export class GevTimerOrchestrator implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private mounts: Mount[] = [];

  constructor(
    private readonly server: GevServer,
    private readonly registry: GevTimerRegistry,
  ) {}

  addInterval(label: string, fn: () => unknown, { every, name, overlap = false }: RunEveryOptions): void {
    this.mounts.push({
      name,
      label,
      begin: (named) => this.server.runEvery(every, fn, { name: named, overlap }),
    });
  }

  addDelay(label: string, fn: () => unknown, { after, name }: RunAfterOptions): void {
    this.mounts.push({ name, label, begin: (named) => this.server.runAfter(after, fn, { name: named }) });
  }

  onApplicationBootstrap(): void {
    const mounts = this.mounts;
    this.mounts = [];
    for (const { name: given, label, begin } of mounts) {
      const name = given ?? this.freeName(label);
      const timer = begin(name);
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
