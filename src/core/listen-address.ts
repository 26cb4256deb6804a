import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { GevAddress } from './address.js';
import { GevListenError, GevOptionsError } from './errors.js';
import type { ResolvedReactorOptions } from './options.js';
import { engineProxy } from './proxy.js';
import type { ReactorListener } from './reactor-listener.js';
import type { EngineProxy } from '../engine/engine-options.js';
import type { Engine, EngineAddress } from '../engine/engine.js';

type ListenOptions = Pick<ResolvedReactorOptions, 'host' | 'port' | 'path'>;

/**
 * The numeric address of the host that an engine is to listen at.
 *
 * @throws GevListenError when the name is not known
 */
export async function resolveHost({ host, port }: ListenOptions): Promise<string> {
  if (isIP(host.split('%', 1)[0]!) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    const { code, errno, syscall } = error as NodeJS.ErrnoException;
    throw new GevListenError(code ?? 'ENOTFOUND', { address: host, port }, { cause: error, errno, syscall });
  }
}

/** What is thrown when an engine does not listen. */
export function listenError({ host, port, path }: ListenOptions, cause: unknown): GevListenError {
  const { code, errno, syscall } = cause as NodeJS.ErrnoException;
  return new GevListenError(
    code ?? 'EUNKNOWN',
    { address: path === undefined ? host : undefined, port, path },
    { cause, errno: errno === undefined ? undefined : -errno, syscall },
  );
}

/** Has an engine listen at one address. Fails with a GevListenError. */
export function bind(
  engine: Engine,
  { options, framing, tls }: ReactorListener,
  host: string,
): EngineAddress | Promise<EngineAddress> {
  const { path, port } = options;
  const failed = (error: unknown): never => {
    throw listenError(options, error);
  };
  const proxy = engineProxy(options);
  if (proxy !== undefined) expectProxy(engine, proxy);
  try {
    const bound = engine.listen(host, path === undefined ? port : -1, framing.engine, tls);
    return bound instanceof Promise ? bound.catch(failed) : bound;
  } catch (error) {
    return failed(error);
  }
}

/** Without it a client's bytes would be taken for a proxy's word, or that for theirs. */
function expectProxy(engine: Engine, proxy: EngineProxy): void {
  if (engine.expectProxy !== undefined) return engine.expectProxy(proxy);
  throw new GevOptionsError(
    'proxyProtocol',
    `Option "proxyProtocol" needs the native engine, and this one is ${engine.kind}: see docs/platforms.md`,
  );
}

/** Where an engine listens, as users are told. */
export function toAddress({ address, port, family }: EngineAddress): GevAddress {
  return family === 1 ? { path: address } : { address, port, family: family === 4 ? 'IPv4' : 'IPv6' };
}
