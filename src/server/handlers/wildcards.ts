import type { MessageHandler } from '@nestjs/microservices';
import { RESERVED_PREFIX } from '../../protocol/nest-json/vocabulary.js';

/** A handler, and the pattern that it is registered with. */
export interface WildcardRoute {
  readonly pattern: string;
  readonly handler: MessageHandler;
}

/** What may follow behind some segments. */
class Branch {
  readonly literals = new Map<string, Branch>();
  /** Behind a `*`. */
  any: Branch | undefined;
  /** Nothing follows. */
  end: WildcardRoute | undefined;
  /** A `>` follows. */
  rest: WildcardRoute | undefined;
}

/**
 * The patterns with wildcards among those of handlers, compiled: `*` stands for one segment, a `>` at the end for one or
 * more. Segments are what stands between dots; they may be empty, and nothing else in them has a meaning.
 *
 * Of several patterns the most specific one is meant: where two first differ, a segment comes before `*`, and `*` before
 * `>`. Looking one up takes no more steps than the patterns have segments in all, whatever peers send.
 */
export class Wildcards {
  private readonly root = new Branch();
  /** Segments of the longest pattern. */
  private depth = 0;

  /** @param handlers by their normalised patterns */
  constructor(handlers: Iterable<readonly [pattern: string, handler: MessageHandler]>) {
    for (const [pattern, handler] of handlers) {
      if (hasWildcard(pattern)) this.add({ pattern, handler });
    }
  }

  /**
   * The most specific one that takes a request, or an event, with this pattern. By a wildcard no request reaches a handler of
   * events, nor an event one of requests.
   */
  find(pattern: string, isEvent: boolean): WildcardRoute | undefined {
    if (this.depth === 0 || !mayMatch(pattern)) return undefined;
    return walk(this.root, pattern.split('.', this.depth + 1), 0, isEvent);
  }

  private add(route: WildcardRoute): void {
    const segments = route.pattern.split('.');
    this.depth = Math.max(this.depth, segments.length);
    const rest = segments.at(-1) === '>';
    if (rest) segments.pop();
    let branch = this.root;
    for (const segment of segments) {
      branch = segment === '*' ? (branch.any ??= new Branch()) : behind(branch, segment);
    }
    if (rest) branch.rest = route;
    else branch.end = route;
  }
}

/** Whether a handler's pattern matches others than itself. */
function hasWildcard(pattern: string): boolean {
  return mayMatch(pattern) && /(^|\.)(\*(\.|$)|>$)/.test(pattern);
}

/** Whether a pattern has a `>` in front of other segments, where it means nothing. */
export function hasMisplacedRest(pattern: string): boolean {
  return mayMatch(pattern) && /(^|\.)>\./.test(pattern);
}

/** The text of objects, and the patterns of the protocol itself, are matched to the letter. */
function mayMatch(pattern: string): boolean {
  return !pattern.startsWith('{') && !pattern.startsWith(RESERVED_PREFIX);
}

function behind(branch: Branch, segment: string): Branch {
  let next = branch.literals.get(segment);
  if (next === undefined) branch.literals.set(segment, (next = new Branch()));
  return next;
}

function walk(
  branch: Branch,
  segments: readonly string[],
  at: number,
  isEvent: boolean,
): WildcardRoute | undefined {
  const segment = segments[at];
  if (segment === undefined) return takes(branch.end, isEvent);
  const literal = branch.literals.get(segment);
  return (
    (literal && walk(literal, segments, at + 1, isEvent)) ??
    (branch.any && walk(branch.any, segments, at + 1, isEvent)) ??
    takes(branch.rest, isEvent)
  );
}

function takes(route: WildcardRoute | undefined, isEvent: boolean): WildcardRoute | undefined {
  return (route?.handler.isEventHandler ?? false) === isEvent ? route : undefined;
}
