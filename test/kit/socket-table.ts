import { readFileSync } from 'node:fs';

/** One end of a TCP connection, as the kernel sees it. */
export interface SocketEnd {
  /** Bytes sent and not acknowledged. */
  readonly sendQueue: number;
  /** Bytes received and not read. */
  readonly receiveQueue: number;
  /** Ticks of 10 ms until the keep-alive timer fires; undefined when it is not set. */
  readonly keepAlive: number | undefined;
}

/** The end of an IPv4 connection that has this port itself and that port on the other side. Linux only. */
export function socketEnd(localPort: number, remotePort: number): SocketEnd | undefined {
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const match = /: \w+:(\w+) \w+:(\w+) \w+ (\w+):(\w+) (\w+):(\w+)/.exec(line);
    if (match === null) continue;
    const [local, remote, send, receive, timer, when] = match
      .slice(1)
      .map((field) => Number.parseInt(field, 16));
    if (local !== localPort || remote !== remotePort) continue;
    return { sendQueue: send!, receiveQueue: receive!, keepAlive: timer === 2 ? when : undefined };
  }
  return undefined;
}
