import { readdirSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pause } from './until.js';

/** Open file descriptors of a process. Linux only, as all of this file. */
export function descriptors(pid = process.pid): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

export function threads(pid = process.pid): number {
  return readdirSync(`/proc/${pid}/task`).length;
}

/** CPU time that all threads of a process have used so far, in seconds. */
export function cpuTime(pid = process.pid): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** How much of one core a process uses for the next so many milliseconds: 1 is all of it. */
export async function cpuShare(pid: number, ms: number): Promise<number> {
  const before = cpuTime(pid);
  const started = performance.now();
  await pause(ms);
  return (cpuTime(pid) - before) / ((performance.now() - started) / 1_000);
}

/** Physical memory a process uses, in bytes. */
export function residentMemory(pid = process.pid): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) * 1024;
}

/** Starts the threads that Node starts on first use, so that they do not count later on. */
export async function warmThreadPool(): Promise<void> {
  await Promise.all(Array.from({ length: 8 }, () => stat('/proc/self')));
}

/** Connections that the kernel has completed for a listener on an IPv4 port, and nobody has accepted yet. */
export function acceptQueue(port: number): number | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n')) {
    const match = /: \w+:(\w+) \w+:0000 0A \w+:(\w+)/.exec(line);
    if (match?.[1] === hex) return Number.parseInt(match[2]!, 16);
  }
  return undefined;
}
