import { constants } from 'node:os';

/**
 * The number of a system's error as errno.h has it, positive; 0: it has none. That of the error itself is libuv's, another one on
 * Windows, and Bun leaves the sign out in places.
 */
export function errnoOf({ code = '', errno = 0 }: NodeJS.ErrnoException): number {
  return (constants.errno as Record<string, number | undefined>)[code] ?? Math.abs(errno);
}
