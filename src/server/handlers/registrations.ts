import { decorated } from '../../core/decorated.js';
import { ConnectionHandlers } from '../connections/connection-handlers.js';
import type { HandlerMarker } from './handler-marker.js';
import { misspeltServer, serverOfHandler, type HandlerExtras } from './handler-extras.js';
import { findMisuse, nameOfPatternHandler, noteServed } from './misuse.js';
import type { NestHandler } from './nest-handler.js';
import { PatternClaims } from './pattern-claims.js';

/** What {@link Registrations} needs to know of its server. */
export interface RegistrationsSetup {
  readonly name: string | undefined;
  /** Messages can reach the handlers of patterns. */
  readonly carriesPackets: boolean;
  /** Options that were given and that the codec leaves without effect. */
  readonly idleOptions: readonly string[];
  readonly warn: (message: string) => void;
}

/**
 * The handlers that Nest registers with a server. It offers those of all the application's controllers: what names another
 * server is left out here.
 */
export class Registrations {
  /** Of connection events. */
  readonly handlers = new ConnectionHandlers();
  private readonly patterns: PatternClaims;
  /** Handlers of other servers that Nest has offered, by the server's name. */
  private readonly elsewhere = new Map<string, Set<string>>();

  constructor(private readonly setup: RegistrationsSetup) {
    this.patterns = new PatternClaims(setup.name);
  }

  /** A handler of a connection event. */
  addConnectionHandler(marker: HandlerMarker, handler: NestHandler, extras: HandlerExtras): void {
    decorated.registered.add(marker.label);
    if (this.takes(extras, marker.label)) this.handlers.add(marker, handler);
  }

  /**
   * Whether a handler of a pattern belongs here.
   *
   * @param pattern normalised
   * @throws GevDuplicatePatternError for a second handler of the same requests
   */
  takesPattern(pattern: string, isEvent: boolean, extras: HandlerExtras): boolean {
    const { carriesPackets, warn } = this.setup;
    const handler = nameOfPatternHandler(pattern, extras);
    if (!this.takes(extras, handler)) return false;
    const slip = misspeltServer(extras);
    if (slip !== undefined) {
      warn(`${handler} has the extra "${slip}", so it belongs to every server: did you mean "server"?`);
    }
    this.patterns.add({ pattern, isEvent, extras });
    if (carriesPackets) noteServed(extras);
    return true;
  }

  /** Warns of what will stay without effect, when the server begins to listen. */
  look(transportId: unknown): void {
    const { setup, patterns, elsewhere } = this;
    const hasConnectionHandlers = !this.handlers.empty;
    const facts = { ...setup, transportId, patterns, elsewhere, hasConnectionHandlers };
    for (const message of findMisuse(facts)) setup.warn(message);
  }

  private takes(extras: HandlerExtras, handler: string): boolean {
    const server = serverOfHandler(extras, handler);
    if (server === undefined || server === this.setup.name) return true;
    const others = this.elsewhere.get(server);
    if (others === undefined) this.elsewhere.set(server, new Set([handler]));
    else others.add(handler);
    return false;
  }
}
