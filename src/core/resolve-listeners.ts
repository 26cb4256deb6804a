import { DEFAULT_HOST, DEFAULT_PORT } from './constants.js';
import { GevOptionsError } from './errors.js';
import { integer, MAX_INT32, nested, port, refuse, socketPath, text } from './option-checks.js';
import type { GevListenerOptions, ResolvedListener } from './listener-options.js';
import type { GevServerOptions } from './options.js';
import { resolveProxy } from './proxy.js';
import { resolveCodec } from './resolve-codec.js';
import { resolveServerTls } from './tls/resolve-tls.js';
import type { GevTlsOptions } from './tls/tls-options.js';

const KNOWN_OPTIONS = {
  name: true,
  host: true,
  port: true,
  path: true,
  codec: true,
  concurrency: true,
  tlsOptions: true,
  proxyProtocol: true,
  trusted: true,
} satisfies Record<keyof GevListenerOptions, true>;

/** How many addresses a server may listen at: connections count their listener in eight bits. */
const MAX_LISTENERS = 255;

/** The listeners, and the first of them under the names of the short form. */
export interface ResolvedListeners extends ResolvedListener {
  readonly listeners: readonly [ResolvedListener, ...ResolvedListener[]];
}

/**
 * Where a server listens: as `listeners` say, or the one that the short form describes.
 *
 * @throws GevOptionsError
 */
export function resolveListeners(options: GevServerOptions): ResolvedListeners {
  const { listeners } = options;
  if (listeners === undefined) {
    const only = resolveListener(options as Record<string, unknown>, '', {});
    const listener = { ...only, name: undefined };
    return { ...listener, listeners: [listener] };
  }
  if (!Array.isArray(listeners) || listeners.length < 1 || listeners.length > MAX_LISTENERS) {
    throw refuse('listeners', listeners, `an array of 1 to ${MAX_LISTENERS} listeners`);
  }
  for (const name of ['port', 'path'] as const) {
    if (options[name] === undefined) continue;
    throw new GevOptionsError(name, `Option "listeners" excludes "${name}": give the listeners theirs`);
  }
  const [first, ...others] = listeners.map((listener: unknown, index) => {
    const name = `listeners[${index}]`;
    return resolveListener(nested(listener, name, Object.keys(KNOWN_OPTIONS)), `${name}.`, options);
  }) as [ResolvedListener, ...ResolvedListener[]];
  return { ...first, listeners: [first, ...others] };
}

/** @param own under the names that errors are to tell: with the prefix */
function resolveListener(
  own: Record<string, unknown>,
  prefix: string,
  defaults: Pick<
    GevServerOptions,
    'host' | 'codec' | 'concurrency' | 'tlsOptions' | 'proxyProtocol' | 'trusted'
  >,
): ResolvedListener {
  const path = socketPath(own, `${prefix}path`);
  if (path !== undefined && (own[`${prefix}host`] !== undefined || own[`${prefix}port`] !== undefined)) {
    throw new GevOptionsError(
      `${prefix}path`,
      `Option "${prefix}path" excludes "host" and "port": give one or the other`,
    );
  }
  const tlsOptions = (own[`${prefix}tlsOptions`] ?? defaults.tlsOptions ?? false) as GevTlsOptions | false;
  if (tlsOptions !== false) resolveServerTls(tlsOptions, `${prefix}tlsOptions`);
  const codec = resolveCodec(own[`${prefix}codec`] ?? defaults.codec);
  return {
    name: text(own, `${prefix}name`),
    host: text(own, `${prefix}host`) ?? text(defaults, 'host') ?? DEFAULT_HOST,
    port: port(own, `${prefix}port`, 0) ?? DEFAULT_PORT,
    path,
    codec,
    concurrency:
      integer(own, `${prefix}concurrency`, 1, MAX_INT32) ??
      integer(defaults, 'concurrency', 1, MAX_INT32) ??
      codec.concurrency,
    tlsOptions,
    ...resolveProxy(own, prefix, defaults),
  };
}
