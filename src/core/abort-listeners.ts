interface Waiting {
  readonly listeners: Set<() => void>;
  readonly onAbort: () => void;
}

const waiting = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls `listener` once when the signal aborts; it must not throw. However many wait for one signal, the signal gets one
 * listener of ours, which goes with the last of them: from the eleventh on Node warns of a leak.
 *
 * @param signal not aborted yet
 * @returns to be called to wait no longer
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const { listeners, onAbort } = waiting.get(signal) ?? listenTo(signal);
  const entry = (): void => listener(); // one may wait twice
  listeners.add(entry);
  return () => {
    if (!listeners.delete(entry) || listeners.size > 0) return;
    waiting.delete(signal);
    signal.removeEventListener('abort', onAbort);
  };
}

function listenTo(signal: AbortSignal): Waiting {
  const listeners = new Set<() => void>();
  const onAbort = (): void => {
    waiting.delete(signal);
    const called = [...listeners];
    listeners.clear();
    for (const listener of called) listener();
  };
  const entry = { listeners, onAbort };
  waiting.set(signal, entry);
  signal.addEventListener('abort', onAbort, { once: true });
  return entry;
}
