import { bindOnce, type FailureReport } from '../core/callback.js';

type AbortListener = ((this: AbortSignal, event: Event) => unknown) | { handleEvent(event: Event): unknown };
type Bound = (event: Event) => void;

const CULPRIT = 'A listener of ctx.signal';

/**
 * An AbortController for one call of a handler. Each listener of its signal runs in the async context in which it was
 * added, and what it throws is reported; Node would make an uncaught exception of it, which ends the process.
 */
export function createCallController(report: FailureReport): AbortController {
  const controller = new AbortController();
  const { signal } = controller;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  // A listener is added once, however often: as a signal has it.
  const bound = new WeakMap<AbortListener, Bound>();
  let onabort: AbortListener | null = null;

  const bind = (listener: AbortListener): Bound => {
    const known = bound.get(listener);
    if (known !== undefined) return known;
    const call = (event: Event): unknown =>
      typeof listener === 'function' ? listener.call(signal, event) : listener.handleEvent(event);
    const made = bindOnce(call, CULPRIT, report);
    bound.set(listener, made);
    return made;
  };
  Object.defineProperties(signal, {
    addEventListener: {
      value: (type: 'abort', listener: AbortListener, options?: boolean | { once?: boolean }) =>
        add(type, isListener(listener) ? bind(listener) : listener, options),
    },
    removeEventListener: {
      value: (type: 'abort', listener: AbortListener, options?: boolean | EventListenerOptions) => {
        const known = bound.get(listener);
        if (known === undefined) return;
        remove(type, known, options);
        bound.delete(listener);
      },
    },
    onabort: {
      get: () => onabort,
      set(listener: AbortListener | null) {
        if (onabort !== null) signal.removeEventListener('abort', onabort);
        onabort = isListener(listener) ? listener : null;
        if (onabort !== null) signal.addEventListener('abort', onabort);
      },
    },
  });
  return controller;
}

/** What a signal calls. It takes null and the like without a word, as others do. */
function isListener(value: unknown): value is AbortListener {
  return typeof value === 'function' || (typeof value === 'object' && value !== null);
}
