import { AsyncLocalStorage } from 'node:async_hooks';
import { inCommon } from '../../core/both-builds.js';

/** What can happen to a connection, in this order. */
export type ConnectionEvent = 'connect' | 'message' | 'close';

/** The key, among the extras of a Nest pattern, under which a connection event's decorator leaves its marker. */
export const HANDLER_MARKER = Symbol.for('gev:handler');

/** Made by `@OnConnect`, `@OnMessage` and `@OnClose`, read by the server: one a decorated method. */
export interface HandlerMarker {
  readonly event: ConnectionEvent;
  /** `Controller.method`, for log lines. */
  readonly label: string;
  /**
   * How often the method itself began. Nest hands out a lazy Observable where an interceptor is bound and the method's
   * own Observable where none is; only this tells one from the other (see {@link ConnectionHandler.isLazy}).
   */
  entered: number;
  /** How many servers the method is registered with. */
  servers?: number;
}

/** Counts the entries into a method that one of several servers has caused. */
export interface EntryCount {
  readonly marker: HandlerMarker;
  entered: number;
}

const causing = inCommon('causing', () => new AsyncLocalStorage<EntryCount>());

/** Whether entries must be told apart by the server that causes them. */
export function isShared(marker: HandlerMarker): boolean {
  return (marker.servers ?? 0) > 1;
}

/** The method begins. */
export function countEntry(marker: HandlerMarker): void {
  if (!isShared(marker)) marker.entered++;
  else {
    const count = causing.getStore();
    if (count?.marker === marker) count.entered++;
  }
}

/** Has the entries that a call causes, now or later, counted in `count`. */
export function countingEntries<Result>(count: EntryCount, call: () => Result): Result {
  return causing.run(count, call);
}

/** The pattern that Nest registers the handlers of an event under. No message on the wire can reach it. */
export function patternOf(event: ConnectionEvent): string {
  return `gev:${event}`;
}
