import { GEV_TRANSPORT } from '../core/constants.js';
import { decorated, someOf } from '../core/decorated.js';

/** What a server knows of its application when it begins to listen. */
export interface ServerFacts {
  readonly transportId: unknown;
  readonly carriesPackets: boolean;
  /** Patterns of `@MessagePattern` and `@EventPattern` that Nest has registered here. */
  readonly patterns: ReadonlyMap<string, unknown>;
  readonly hasConnectionHandlers: boolean;
}

/** Decorators that will stay without effect: what happens, and the remedy. */
export function findMisuse(facts: ServerFacts): string[] {
  const { transportId, carriesPackets, patterns, hasConnectionHandlers } = facts;
  const found: string[] = [];
  if (!carriesPackets && patterns.size > 0) {
    found.push(
      `The codec carries no packets: no message can reach the pattern ${[...patterns.keys()].slice(0, 3).join(', ')}. ` +
        'Use codec: nestJson(), or @OnMessage() instead of @MessagePattern() and @EventPattern()',
    );
  }
  if (transportId !== GEV_TRANSPORT && !hasConnectionHandlers && decorated.connectionHandlers.size > 0) {
    found.push(
      `The transport id of this server is ${String(transportId)}, so Nest does not register ${someOf(decorated.connectionHandlers)} ` +
        'with it: @OnConnect(), @OnMessage() and @OnClose() belong to GEV_TRANSPORT. Leave setTransportId() out',
    );
  }
  if (!decorated.timersAreSought && decorated.timers.size > 0) {
    found.push(
      `Nobody runs ${someOf(decorated.timers)}: @RunEvery() and @RunAfter() need GevModule.forRoot() among the ` +
        "application's imports, and its server as strategy",
    );
  }
  return found;
}
