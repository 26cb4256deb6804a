import type { MessageHandler } from '@nestjs/microservices';

/** Patterns are chosen by clients: what is remembered of them is bounded. */
const MAX_ROUTES = 1024;
const MAX_PATTERN_LENGTH = 256;

/** What JSON text can begin with. Any other pattern stands for itself, and nobody has to try and parse it. */
const MAY_BE_JSON = /^[\s{["\-0-9tfn]/;

/** From the pattern of a packet to the handler Nest registered for it. Looking a known one up costs one Map access. */
export class RouteTable {
  private readonly known = new Map<string, MessageHandler>();

  /**
   * @param handlers those that Nest registered, by their normalised pattern
   * @param resolve Nest's own way, which parses and normalises the pattern first
   * @param wrap applied once to each handler found
   * @param dynamic the application looks handlers up in its own way: nothing is remembered
   */
  constructor(
    private readonly handlers: ReadonlyMap<string, MessageHandler>,
    private readonly resolve: (pattern: string) => MessageHandler | null,
    private readonly wrap: (handler: MessageHandler) => MessageHandler,
    readonly dynamic = false,
  ) {}

  find(pattern: string): MessageHandler | undefined {
    return this.known.get(pattern) ?? this.learn(pattern);
  }

  /** The pattern, as it was registered, that a packet's pattern leads to; undefined where it is not known. */
  registered(pattern: string): string | undefined {
    if (this.handlers.has(pattern)) return pattern;
    if (this.dynamic || !MAY_BE_JSON.test(pattern)) return undefined;
    const handler = this.resolve(pattern);
    for (const [name, registered] of this.handlers) if (registered === handler) return name;
    return undefined;
  }

  /** Has every handler wrapped anew. */
  forget(): void {
    this.known.clear();
  }

  private learn(pattern: string): MessageHandler | undefined {
    if (this.dynamic) {
      const handler = this.resolve(pattern);
      return handler === null ? undefined : this.wrap(handler);
    }
    const found =
      this.handlers.get(pattern) ?? (MAY_BE_JSON.test(pattern) ? this.resolve(pattern) : undefined);
    if (found === undefined || found === null) return undefined;
    const handler = this.wrap(found);
    if (pattern.length <= MAX_PATTERN_LENGTH) {
      if (this.known.size >= MAX_ROUTES) this.known.clear();
      this.known.set(pattern, handler);
    }
    return handler;
  }
}
