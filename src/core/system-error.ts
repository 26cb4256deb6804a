import { getSystemErrorName } from 'node:util';

/** The symbolic name (`ECONNRESET`) of an errno as errno.h has it, positive. */
export function systemErrorName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `ERRNO_${errno}`;
  }
}
