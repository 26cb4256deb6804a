import { AsyncResource } from 'node:async_hooks';
import { isNode } from './runtime.js';

/**
 * An asynchronous context of its own, empty, for one call: `new FreshScope().runInAsyncScope(fn, self, ...args)`. What `fn`
 * enters (`AsyncLocalStorage.enterWith`) is seen by `fn` and what follows from it, and what its caller has entered is not.
 *
 * Every call that a loop causes, and every message that leaves a queue, is made in one. Else all handlers of a batch
 * would run in the context of the batch, those of a queue in that of whoever made room, and one message's user would be
 * the next one's.
 *
 * On Node it is an empty object whose prototype is an AsyncResource that was made once and remembers nothing but its ids:
 *
 * - Where async hooks carry the stores (Node 20 and 22), a store is a property of the resource that is being executed. A
 *   fresh object has none, reading one through the prototype finds none, and `enterWith` writes to the object, never to
 *   its prototype.
 * - Where V8 does (Node 24 and later), `runInAsyncScope` puts the frame that the resource was made in into place and the
 *   caller's back afterwards. This one's frame is none.
 * - No `init` hook runs, so nothing is copied from the context it is made in: it may be made anywhere. A new AsyncResource
 *   would take over the stores of the handler that happens to be running.
 *
 * All of them share one async id, as the events of one socket do.
 *
 * Elsewhere a resource cannot be inherited from or emptied, and need not be: it puts the context that it was made in into
 * place, which is none unless this module is loaded within one, and what is entered never reaches it.
 */
export interface FreshScope {
  runInAsyncScope<This, Args extends unknown[], Result>(
    fn: (this: This, ...args: Args) => Result,
    self?: This,
    ...args: Args
  ): Result;
}

export const FreshScope = function (): void {} as unknown as new () => FreshScope;
FreshScope.prototype = scopeOf(new AsyncResource('GevScope')) satisfies FreshScope;

/** Calls `fn` in a {@link FreshScope}. */
export function inFreshScope<Result>(fn: () => Result): Result {
  return new FreshScope().runInAsyncScope(fn);
}

function scopeOf(resource: AsyncResource): FreshScope {
  if (isNode) return emptied(resource);
  return { runInAsyncScope: (fn, self, ...args) => resource.runInAsyncScope(fn, self, ...args) };
}

/** Takes from a resource what it remembers of the context it was made in, by whatever symbol; its ids stay. */
function emptied(resource: AsyncResource): AsyncResource {
  const asyncId = resource.asyncId();
  const triggerAsyncId = resource.triggerAsyncId();
  for (const property of Reflect.ownKeys(resource)) {
    const without = Object.create(resource, { [property]: { value: undefined } }) as AsyncResource;
    const isId = without.asyncId() !== asyncId || without.triggerAsyncId() !== triggerAsyncId;
    if (!isId) Reflect.set(resource, property, undefined);
  }
  return resource;
}
