/** What can happen to a connection, in this order. */
export type ConnectionEvent = 'connect' | 'message' | 'close';

/** The key, among the extras of a Nest pattern, under which a connection event's decorator leaves its marker. */
export const HANDLER_MARKER = Symbol('gev:handler');

/** Made by `@OnConnect`, `@OnMessage` and `@OnClose`, read by the server: one a decorated method. */
export interface HandlerMarker {
  readonly event: ConnectionEvent;
  /** `Controller.method`, for log lines. */
  readonly label: string;
  /**
   * How often the method itself began. Nest hands out a lazy Observable where an interceptor is bound and the method's
   * own Observable where none is; only this tells one from the other (see {@link EventHandler.isLazy}).
   */
  entered: number;
}

/** The pattern that Nest registers the handlers of an event under. No message on the wire can reach it. */
export function patternOf(event: ConnectionEvent): string {
  return `gev:${event}`;
}
