import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { GevAddress } from './address.js';
import { GevListenError } from './errors.js';
import type { ResolvedReactorOptions } from './options.js';
import type { EngineAddress } from '../engine/engine.js';

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

/** Where an engine listens, as users are told. */
export function toAddress({ address, port, family }: EngineAddress): GevAddress {
  return family === 1 ? { path: address } : { address, port, family: family === 4 ? 'IPv4' : 'IPv6' };
}
