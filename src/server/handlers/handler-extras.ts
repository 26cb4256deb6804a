import { inCommon } from '../../core/both-builds.js';
import { GevOptionsError } from '../../core/errors.js';
import { likeness } from '../../core/option-checks.js';

/** The extras that Nest hands over with a handler. */
export type HandlerExtras = Readonly<Record<string | symbol, unknown>>;

/** Which handlers a server takes. */
export interface GevHandlerOptions {
  /** The `name` of the server that the handler belongs to. Default: every server that can serve it. */
  readonly server?: string;
}

/**
 * The name of the server that a handler says it belongs to; undefined: to all of them.
 *
 * @param handler for the message
 * @throws GevOptionsError where it is no name
 */
export function serverOfHandler(extras: HandlerExtras, handler: string): string | undefined {
  const { server } = extras;
  if (server === undefined || server === null) return undefined;
  if (typeof server === 'string' && server.length > 0) return server;
  throw new GevOptionsError(
    'server',
    `The "server" of ${handler} must be the name of one, not ${typeof server === 'string' ? 'empty' : typeof server}`,
  );
}

/** A key of the extras that was probably meant to be `server`. They are the user's own: only a slip of a letter counts. */
export function misspeltServer(extras: HandlerExtras): string | undefined {
  if (extras.server !== undefined) return undefined;
  return Object.keys(extras).find(
    (key) => (likeness(key, 'server') ?? Infinity) <= (key.length === 6 ? 2 : 1),
  );
}

/**
 * What handlers are called, by the extras that Nest hands over with them: those are one object a decorated method. Of
 * `@MessagePattern` and `@EventPattern` methods only a {@link GevModule} can know it; `gev` decorators know it themselves.
 */
const handlerNames = inCommon('handler-names', () => new WeakMap<object, Set<string>>());

/** @param name `Controller.method`; several controllers may inherit one method */
export function nameHandler(extras: object, name: string): void {
  const known = handlerNames.get(extras);
  if (known === undefined) handlerNames.set(extras, new Set([name]));
  else known.add(name);
}

/** Empty where nobody has named the handler. */
export function namesOfHandler(extras: object): readonly string[] {
  return [...(handlerNames.get(extras) ?? [])];
}
