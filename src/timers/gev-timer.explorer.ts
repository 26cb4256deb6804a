import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { decorated } from '../core/decorated.js';
import { GevTimerMetadataAccessor } from './gev-timer-metadata.accessor.js';
import { NON_STATIC_TIMER, REPEATED_TIMERS } from './gev-timer.messages.js';
import { GevTimerOrchestrator } from './gev-timer.orchestrator.js';

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];
type Methods = Record<string, () => unknown>;

type Class = abstract new (...args: never[]) => unknown;

/** What Nest has made of one class: its methods with timers, and who asked for an instance. */
interface Instances {
  readonly methods: Set<string>;
  readonly wrappers: Set<Wrapper>;
}

/** Finds the `@RunEvery` and `@RunAfter` methods of all controllers and providers. */
@Injectable()
export class GevTimerExplorer implements OnModuleInit {
  private readonly logger = new Logger('GevTimers');
  private explored = false;
  private readonly byClass = new Map<Class, Instances>();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly accessor: GevTimerMetadataAccessor,
    private readonly orchestrator: GevTimerOrchestrator,
  ) {
    // In a hybrid application servers may listen, and look for it, before modules are initialised.
    decorated.timersAreSought = true;
  }

  onModuleInit(): void {
    // The init() of a Nest microservice calls its hooks twice.
    if (this.explored) return;
    this.explored = true;
    // An alias (useExisting) shows the same instance again.
    const seen = new Set<unknown>();
    for (const wrapper of [...this.discovery.getControllers(), ...this.discovery.getProviders()]) {
      const instance: unknown = wrapper.instance;
      if (typeof instance !== 'object' || instance === null || seen.has(instance)) continue;
      seen.add(instance);
      const prototype = Object.getPrototypeOf(instance) as object | null;
      if (prototype !== null) this.explore(wrapper, instance as Methods, prototype);
    }
    this.warnOfRepeats();
  }

  private explore(wrapper: Wrapper, instance: Methods, prototype: object): void {
    for (const key of this.scanner.getAllMethodNames(prototype)) {
      const method = (prototype as Methods)[key]!;
      const interval = this.accessor.getInterval(method);
      const delay = this.accessor.getDelay(method);
      if (interval === undefined && delay === undefined) continue;
      const label = `${String(wrapper.name)}.${key}`;
      if (!wrapper.isDependencyTreeStatic() || wrapper.isTransient) {
        this.logger.warn(NON_STATIC_TIMER(label));
        continue;
      }
      this.count(wrapper, key, prototype);
      const run = (): unknown => instance[key]!();
      if (interval !== undefined) this.orchestrator.addInterval(label, run, interval);
      if (delay !== undefined) this.orchestrator.addDelay(label, run, delay);
    }
  }

  /** Instances that Nest has made of one class by itself. Those of factories and values are the user's own doing. */
  private count(wrapper: Wrapper, key: string, prototype: object): void {
    const made = prototype.constructor as Class;
    if (wrapper.metatype !== made) return;
    const { methods, wrappers } = this.byClass.get(made) ?? { methods: new Set(), wrappers: new Set() };
    this.byClass.set(made, { methods: methods.add(key), wrappers: wrappers.add(wrapper) });
  }

  private warnOfRepeats(): void {
    for (const [{ name }, { methods, wrappers }] of this.byClass) {
      if (wrappers.size < 2) continue;
      const labels = [...methods].map((key) => `${name}.${key}`);
      const providers = [...wrappers].map(({ token, host }) => {
        const provider = typeof token === 'function' ? token.name : String(token);
        return `${provider} of ${host?.name ?? 'a module'}`;
      });
      this.logger.warn(REPEATED_TIMERS(labels, providers));
    }
    this.byClass.clear();
  }
}
