import type { GevContext } from '../../context/gev.context.js';
import {
  type ConnectionEvent,
  countingEntries,
  type EntryCount,
  type HandlerMarker,
  isShared,
} from '../handlers/handler-marker.js';
import type { NestHandler } from '../handlers/nest-handler.js';

/** One decorated method, as a server calls it. */
export class ConnectionHandler implements EntryCount {
  /** Entries into the method that this server has caused, where others share it. */
  entered = 0;
  private readonly enteredBefore: number;
  private lazy: boolean | undefined;

  constructor(
    readonly marker: HandlerMarker,
    private readonly handler: NestHandler,
  ) {
    this.enteredBefore = marker.entered;
  }

  call(data: unknown, context: GevContext): unknown {
    if (this.lazy !== undefined || !isShared(this.marker)) return this.handler(data, context);
    return countingEntries(this, () => this.handler(data, context));
  }

  get label(): string {
    return this.marker.label;
  }

  /**
   * Whether an Observable that the handler returned is lazy, that is, made by an interceptor: then the method has yet to
   * run, and nothing may overtake it. It shows in the first such Observable: no method ran to make it. Ask before
   * subscribing, and tell {@link learn} afterwards.
   */
  isLazy(): boolean {
    const entered = isShared(this.marker) ? this.entered > 0 : this.marker.entered > this.enteredBefore;
    return this.lazy ?? !entered;
  }

  /** `refused`: a guard or pipe answered in the method's place, so that the next Observable has to tell. */
  learn(lazy: boolean, refused: boolean): void {
    if (!refused) this.lazy ??= lazy;
  }
}

/** The decorated methods of a server's controllers, by event, in the order of their registration. */
export class ConnectionHandlers {
  private readonly byEvent: Record<ConnectionEvent, [HandlerMarker, NestHandler][]> = {
    connect: [],
    message: [],
    close: [],
  };

  add(marker: HandlerMarker, handler: NestHandler): void {
    marker.servers = (marker.servers ?? 0) + 1;
    this.byEvent[marker.event].push([marker, handler]);
  }

  get empty(): boolean {
    return Object.values(this.byEvent).every((handlers) => handlers.length === 0);
  }

  /** The handlers of an event, each passed through `wrap`. */
  of(
    event: ConnectionEvent,
    wrap: (handler: NestHandler, marker: HandlerMarker) => NestHandler = (handler) => handler,
  ): ConnectionHandler[] {
    return this.byEvent[event].map(
      ([marker, handler]) => new ConnectionHandler(marker, wrap(handler, marker)),
    );
  }
}
