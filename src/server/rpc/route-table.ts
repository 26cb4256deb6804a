import type { MessageHandler } from '@nestjs/microservices';
import { type WildcardRoute, Wildcards } from '../handlers/wildcards.js';

/** Patterns are chosen by clients: what is remembered of them is bounded. */
const MAX_ROUTES = 1024;
const MAX_PATTERN_LENGTH = 256;

/** What JSON text can begin with. Any other pattern stands for itself, and nobody has to try and parse it. */
const MAY_BE_JSON = /^[\s{["\-0-9tfn]/;

/** What is known of patterns that have come. */
class RouteCache<Route> {
  private readonly known = new Map<string, Route>();

  get(pattern: string): Route | undefined {
    return this.known.get(pattern);
  }

  set(pattern: string, route: Route): Route {
    if (pattern.length > MAX_PATTERN_LENGTH) return route;
    if (this.known.size >= MAX_ROUTES) this.known.clear();
    this.known.set(pattern, route);
    return route;
  }

  clear(): void {
    this.known.clear();
  }
}

/** From the pattern of a packet to the handler Nest registered for it. Looking a known one up costs one Map access. */
export class RouteTable {
  private readonly literal = new RouteCache<MessageHandler>();
  private readonly requests = new RouteCache<WildcardRoute>();
  private readonly events = new RouteCache<WildcardRoute>();
  private readonly wrapped = new Map<MessageHandler, MessageHandler>();
  private wildcards: Wildcards;

  /**
   * @param handlers those that Nest registered, by their normalised pattern
   * @param resolve Nest's own way, which parses and normalises the pattern first
   * @param wrap applied once to each handler found
   * @param dynamic the application looks handlers up in its own way: nothing is remembered, and no wildcard is known
   */
  constructor(
    private readonly handlers: ReadonlyMap<string, MessageHandler>,
    private readonly resolve: (pattern: string) => MessageHandler | null,
    private readonly wrap: (handler: MessageHandler) => MessageHandler,
    readonly dynamic = false,
  ) {
    this.wildcards = new Wildcards(handlers);
  }

  /** The handler of just this pattern. */
  find(pattern: string): MessageHandler | undefined {
    return this.literal.get(pattern) ?? this.learn(pattern);
  }

  /** The handler of a pattern with wildcards that matches this one, which is a string and has no handler of its own. */
  match(pattern: string, isEvent: boolean): WildcardRoute | undefined {
    const known = isEvent ? this.events : this.requests;
    return known.get(pattern) ?? this.learnMatch(pattern, isEvent, known);
  }

  /** The pattern, as it was registered, that a packet's pattern leads to; undefined where it is not known. */
  registered(pattern: string, isEvent: boolean): string | undefined {
    if (this.handlers.has(pattern)) return pattern;
    if (this.dynamic) return undefined;
    const handler = MAY_BE_JSON.test(pattern) ? this.resolve(pattern) : null;
    if (handler === null) return this.match(pattern, isEvent)?.pattern;
    for (const [name, registered] of this.handlers) if (registered === handler) return name;
    return undefined;
  }

  /** Whether what handles a pattern handles events only. */
  leadsToEvent(pattern: string): boolean {
    const literal = this.find(pattern) === undefined ? undefined : this.registered(pattern, false);
    if (literal !== undefined) return this.handlers.get(literal)?.isEventHandler === true;
    return this.match(pattern, false) === undefined && this.match(pattern, true) !== undefined;
  }

  /** There are other handlers, or they are to be wrapped anew. */
  forget(): void {
    this.wildcards = new Wildcards(this.handlers);
    for (const known of [this.literal, this.requests, this.events, this.wrapped]) known.clear();
  }

  private learn(pattern: string): MessageHandler | undefined {
    if (this.dynamic) {
      const handler = this.resolve(pattern);
      return handler === null ? undefined : this.wrap(handler);
    }
    const found =
      this.handlers.get(pattern) ?? (MAY_BE_JSON.test(pattern) ? this.resolve(pattern) : undefined);
    if (found === undefined || found === null) return undefined;
    return this.literal.set(pattern, this.wrapOnce(found));
  }

  private learnMatch(
    pattern: string,
    isEvent: boolean,
    known: RouteCache<WildcardRoute>,
  ): WildcardRoute | undefined {
    const found = this.dynamic ? undefined : this.wildcards.find(pattern, isEvent);
    if (found === undefined) return undefined;
    return known.set(pattern, { pattern: found.pattern, handler: this.wrapOnce(found.handler) });
  }

  private wrapOnce(handler: MessageHandler): MessageHandler {
    let wrapped = this.wrapped.get(handler);
    if (wrapped === undefined) this.wrapped.set(handler, (wrapped = this.wrap(handler)));
    return wrapped;
  }
}
