import { constants } from 'node:os';

/**
 * What was wrong with what came.
 *
 * @param errno says which of them
 * @param limit of the length, or of all that is kept, in bytes
 * @param length bytes, at least, of what was too long
 * @param detail of what is no frame; empty: there is none
 */
export function protocolMessage(
  errno: number,
  limit: number | undefined,
  length: number | undefined,
  detail: string,
): string {
  const { EMSGSIZE, ETIMEDOUT, ENOBUFS, EPROTO, EPROTONOSUPPORT } = constants.errno;
  switch (errno) {
    case EMSGSIZE:
      return `A frame of ${length} bytes or more is longer than maxFrameLength (${limit} bytes): raise it if such frames are meant`;
    case ETIMEDOUT:
      return 'A frame had begun and was silent for incompleteFrameTimeout, or came at less than 1 KiB/s for as long';
    case ENOBUFS:
      return `Incomplete frames took more than maxPartialBytes (${limit} bytes) on one loop, and this one was the oldest`;
    case EPROTO:
      return 'What came is no TLS, or the peer has given it up with an alert';
    case EPROTONOSUPPORT:
      return 'The peer speaks TLS and this port does not: give the server "tlsOptions", or the client none';
    default:
      return `What came is no frame of the codec${detail === '' ? '' : `: ${detail}`}`;
  }
}
