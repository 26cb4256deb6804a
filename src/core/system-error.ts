import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';

/** Two may share a number: the first is the one that libuv has, too. */
const NAMES = new Map(
  Object.entries(constants.errno)
    .reverse()
    .map(([name, errno]) => [errno, name]),
);

/** The symbolic name (`ECONNRESET`) of an errno as errno.h has it, positive. */
export function systemErrorName(errno: number): string {
  return NAMES.get(errno) ?? (errno > 0 ? getSystemErrorName(-errno) : `ERRNO_${errno}`);
}
