import { readFileSync, readdirSync } from 'node:fs';
import process from 'node:process';
import { coreOf } from '../runner/affinity.mjs';

const tickMicros = 10_000; // of /proc/stat
const read = (path) => readFileSync(path, 'utf8');

/**
 * Reads the CPU clocks of the server and of this process, in microseconds, as gev_load does. The server's threads are
 * added up: those that have ended are not counted, so no thread may end in the window.
 */
export class CpuSampler {
  #serverPid;
  #cpu;
  #serverCpu;
  #begin;

  /** @param {{ cpu: number, serverPid: number }} processes NaN: not known, and not sampled */
  constructor({ cpu, serverPid }) {
    this.#cpu = cpu;
    this.#serverPid = serverPid;
    this.#serverCpu = Number.isNaN(serverPid) ? NaN : coreOf(serverPid);
  }

  begin() {
    this.#begin = this.#read();
  }

  /**
   * The shares of the window that began with begin(), and the CPU time of each message.
   *
   * @param {{ seconds: number, messages: number }} window
   */
  end({ seconds, messages }) {
    const now = this.#read();
    const used = Object.fromEntries(Object.keys(now).map((name) => [name, now[name] - this.#begin[name]]));
    const window = seconds * 1e6;
    const foreign = (own, idle) => Math.max(window - own - idle, 0) / window;
    const report = {
      clientCpuMicros: used.client / messages,
      generatorBusy: used.client / window,
      serverCpuMicros: used.server / messages,
      mainThreadCpuMicros: used.mainThread / messages,
      serverBusy: used.server / window,
      loadCoreForeign: foreign(used.client, used.idle),
      serverCoreForeign: foreign(used.server, used.serverIdle),
    };
    return Object.fromEntries(Object.entries(report).filter(([, value]) => Number.isFinite(value)));
  }

  #read() {
    const { user, system } = process.cpuUsage();
    const threads = Number.isNaN(this.#serverPid) ? [] : readdirSync(`/proc/${this.#serverPid}/task`);
    const running = (thread) =>
      Number(read(`/proc/${this.#serverPid}/task/${thread}/schedstat`).split(' ')[0]) / 1000;
    return {
      client: user + system,
      server: threads.length > 0 ? threads.reduce((sum, thread) => sum + running(thread), 0) : NaN,
      mainThread: threads.length > 0 ? running(this.#serverPid) : NaN,
      idle: idleMicros(this.#cpu),
      serverIdle: idleMicros(this.#serverCpu),
    };
  }
}

/** What a core had nothing to do, since the machine started. */
function idleMicros(cpu) {
  const line = read('/proc/stat')
    .split('\n')
    .find((one) => one.startsWith(`cpu${cpu} `));
  if (line === undefined) return NaN;
  const [, , , , idle, waiting] = line.split(/\s+/).map(Number);
  return (idle + waiting) * tickMicros;
}
