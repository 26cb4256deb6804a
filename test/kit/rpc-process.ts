import { fileURLToPath } from 'node:url';
import { Child } from './child.js';
import type { ServerKind } from './rpc-service.js';

const script = fileURLToPath(new URL('children/rpc.mjs', import.meta.url));

export interface RpcProcess {
  readonly child: Child;
  readonly port: number;
}

/** Starts children/rpc.mjs, which loads dist/, and waits until it listens. */
export async function startRpc(kind: ServerKind, port = 0): Promise<RpcProcess> {
  const child = Child.start([script, kind, String(port)]);
  const report = (await child.report('port')) as { port: number };
  return { child, port: report.port };
}
