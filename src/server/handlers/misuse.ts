import { GEV_TRANSPORT } from '../../core/constants.js';
import { decorated, someOf } from '../../core/decorated.js';
import { quote } from '../../core/error-log.js';
import { nearest } from '../../core/option-checks.js';
import { inCommon } from '../../core/both-builds.js';
import { CANCEL_PATTERN, GO_AWAY_PATTERN, HELLO_PATTERN } from '../../protocol/nest-json/vocabulary.js';
import { namesOfHandler } from './handler-extras.js';
import type { HandlerExtras } from './handler-extras.js';
import type { PatternClaims } from './pattern-claims.js';
import { serverNames } from '../server-names.js';
import { hasMisplacedRest } from './wildcards.js';

const RESERVED_PATTERNS: readonly string[] = [CANCEL_PATTERN, GO_AWAY_PATTERN, HELLO_PATTERN];

/** Handlers of patterns that a server has which can serve them, by their extras. */
const servedPatterns = inCommon('served-patterns', () => new WeakSet<HandlerExtras>());

/** What a server knows of its application when it begins to listen. */
export interface ServerFacts {
  readonly name: string | undefined;
  readonly transportId: unknown;
  readonly carriesPackets: boolean;
  /** What Nest has registered here of `@MessagePattern` and `@EventPattern`. */
  readonly patterns: PatternClaims;
  /** Handlers that Nest has shown to this server and that belong to another one, by its name. */
  readonly elsewhere: ReadonlyMap<string, ReadonlySet<string>>;
  readonly hasConnectionHandlers: boolean;
  /** Options that were given and that the codec leaves without effect. */
  readonly idleOptions: readonly string[];
}

/** A server serves the handler, so that others which cannot need not warn of it. */
export function noteServed(extras: HandlerExtras): void {
  servedPatterns.add(extras);
}

/** What will stay without effect: what happens, and the remedy. */
export function findMisuse(facts: ServerFacts): string[] {
  return [
    ...unreachablePatterns(facts),
    ...mixedPatterns(facts),
    ...reservedPatterns(facts),
    ...misplacedWildcards(facts),
    ...droppedDecorators(facts),
    ...unknownServers(facts),
    ...namesakes(facts),
    ...idleTimers(),
    ...idleOptions(facts),
  ];
}

function unreachablePatterns({ carriesPackets, patterns }: ServerFacts): string[] {
  if (carriesPackets) return [];
  const unreachable = [...patterns].filter(
    ({ extras }) => extras.server !== undefined || !servedPatterns.has(extras),
  );
  if (unreachable.length === 0) return [];
  const names = new Set(unreachable.map(({ pattern }) => pattern));
  return [
    `The codec carries no packets: no message can reach the pattern ${[...names].slice(0, 3).join(', ')}. ` +
      'Use codec: nestJson(), or @OnMessage() instead of @MessagePattern() and @EventPattern(). Where another transport ' +
      'serves it, name that: @MessagePattern(pattern, Transport.TCP)',
  ];
}

function mixedPatterns({ patterns }: ServerFacts): string[] {
  return patterns.mixed.map(
    (pattern) =>
      `The pattern ${quote(pattern)} has a message and an event handler, of which Nest runs one for both: give them ` +
      'patterns of their own',
  );
}

function reservedPatterns({ patterns }: ServerFacts): string[] {
  const taken = [...patterns].filter(({ pattern }) => RESERVED_PATTERNS.includes(pattern));
  return taken.map(
    ({ pattern }) =>
      `The pattern ${quote(pattern)} is one of the protocol itself, and clients rely on its answer: give the handler another`,
  );
}

function misplacedWildcards({ carriesPackets, patterns }: ServerFacts): string[] {
  if (!carriesPackets) return [];
  const misplaced = new Set([...patterns].map(({ pattern }) => pattern).filter(hasMisplacedRest));
  return [...misplaced].map(
    (pattern) =>
      `The pattern ${quote(pattern)} is matched to the letter where it has a ">": only as the last segment does it stand for ` +
      'those that follow. Use "*" for one segment',
  );
}

function droppedDecorators({ transportId, hasConnectionHandlers, carriesPackets }: ServerFacts): string[] {
  if (hasConnectionHandlers) return [];
  const { connectionHandlers, registered } = decorated;
  if (transportId !== GEV_TRANSPORT && connectionHandlers.size > 0) {
    return [
      `The transport id of this server is ${String(transportId)}, so Nest does not register ${someOf(connectionHandlers)} ` +
        'with it: @OnConnect(), @OnMessage() and @OnClose() belong to GEV_TRANSPORT. Leave setTransportId() out',
    ];
  }
  const unregistered = [...connectionHandlers].filter((label) => !registered.has(label));
  if (carriesPackets || unregistered.length === 0) return [];
  return [
    `Nest has registered no handler with this server, ${someOf(unregistered)} neither: list its class in the controllers ` +
      'of a module; providers have no handlers',
  ];
}

function unknownServers({ elsewhere }: ServerFacts): string[] {
  return [...elsewhere]
    .filter(([name]) => !serverNames.made.has(name))
    .map(([name, handlers]) => {
      const near = nearest(name, serverNames.made);
      const remedy =
        near === undefined
          ? `make one, new GevServer({ name: ${quote(name)} })`
          : `did you mean ${quote(near)}?`;
      return `No server is named ${quote(name)}, so nothing reaches ${someOf(handlers)}: ${remedy}`;
    });
}

function namesakes({ name }: ServerFacts): string[] {
  if (name === undefined || !serverNames.listening.has(name)) return [];
  return [
    `Another server named ${quote(name)} listens in this process. In one application each needs a name of its own: ` +
      'handlers that name it run on both',
  ];
}

function idleTimers(): string[] {
  if (decorated.timersAreSought || decorated.timers.size === 0) return [];
  return [
    `Nobody runs ${someOf(decorated.timers)}: @RunEvery() and @RunAfter() need GevModule.forRoot() among the ` +
      "application's imports, and its server as strategy",
  ];
}

function idleOptions({ idleOptions: names }: ServerFacts): string[] {
  if (names.length === 0) return [];
  return [
    `The codec carries no packets, so that ${names.join(', ')} has no effect: leave it out, or use nestJson()`,
  ];
}

/** What a handler of a pattern is called in a message. */
export function nameOfPatternHandler(pattern: string, extras: HandlerExtras): string {
  const names = namesOfHandler(extras);
  return names.length > 0 ? someOf(names) : `the handler of ${quote(pattern)}`;
}
