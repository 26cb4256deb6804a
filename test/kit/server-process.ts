import type { GevServerOptions } from 'nestjs-gev';
import { fileURLToPath } from 'node:url';
import { Child, type ChildSetup } from './child.js';
import { onCleanup } from './cleanup.js';

const script = fileURLToPath(new URL('children/server.mjs', import.meta.url));

export interface ServerProcess {
  readonly child: Child;
  readonly port: number;
  /** Of node itself, not of what it was started by. */
  readonly pid: number;
}

/** Starts children/server.mjs, which loads dist/, and waits until it listens. */
export async function startServer(
  behaviour: 'echo' | 'sixteen' | 'rpc',
  options: GevServerOptions = {},
  setup?: ChildSetup,
): Promise<ServerProcess> {
  const child = Child.start([script, behaviour, JSON.stringify(options)], setup);
  const { port, pid } = (await child.report('pid')) as { port: number; pid: number };
  if (pid !== child.pid) onCleanup(() => child.running && process.kill(pid, 'SIGKILL'));
  return { child, port, pid };
}

/** Whether the addon runs under a sanitizer, which takes time and memory of its own. */
export const sanitized = /lib[at]san/.test(process.env.LD_PRELOAD ?? '');
