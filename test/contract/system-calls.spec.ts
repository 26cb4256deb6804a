import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { startServer } from '../kit/server-process.js';
import { until } from '../kit/until.js';

const ROUNDS = 5;
const REPLIES = 16;
/** What the server does with each. */
const MESSAGES = ['sixteen in one turn', 'promised in one turn', 'later, in one turn'];

const hasStrace = (() => {
  try {
    execFileSync('strace', ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
if (!hasStrace && process.env.CI === undefined) {
  console.warn('W8 is not tested: strace is missing (apt-get install strace)');
}

(hasStrace || process.env.CI !== undefined ? describe : describe.skip).each([0, 1])(
  'system calls on %i loops',
  (loops) => {
    it('W8: 16 replies made in one turn leave in one system call a connection', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'gev-strace-'));
      onCleanup(() => rmSync(folder, { recursive: true, force: true }));
      const output = join(folder, 'calls');
      // A preloaded sanitizer is the server's alone: strace does not run with it, nor does it find leaks under strace.
      const { LD_PRELOAD = '' } = process.env;
      const wrapper = [
        ...['strace', '-f', '--seccomp-bpf', '-qq', '-s', '16', '-o', output],
        ...['-e', 'trace=sendto,sendmsg,write,writev'],
        ...(LD_PRELOAD === '' ? [] : ['-E', `LD_PRELOAD=${LD_PRELOAD}`]),
      ];
      const env = { LD_PRELOAD: '', ASAN_OPTIONS: 'detect_leaks=0' };
      const { port, child, pid } = await startServer('sixteen', { loops }, { wrapper, env });
      const peers = await Peer.connectAll(2, port);
      for (const peer of peers) peer.read();
      for (const message of MESSAGES) {
        for (let round = 0; round < ROUNDS; round++) {
          for (const peer of peers) peer.write(message);
          for (const peer of peers) {
            expect(await peer.text(message.length * REPLIES)).toBe(message.repeat(REPLIES));
          }
        }
      }
      process.kill(pid, 'SIGKILL');
      await until(() => !child.running);
      const lines = readFileSync(output, 'latin1').split('\n');
      for (const message of MESSAGES) {
        const calls = lines.filter((line) => line.includes(`"${message.slice(0, 16)}"`));
        expect(calls).toHaveLength(ROUNDS * peers.length);
        for (const call of calls) {
          expect(call).toMatch(/ (sendto|sendmsg|write)\(/);
          // The kill may come within the last call, whose result strace then does not know.
          expect(call).toMatch(new RegExp(` = (${message.length * REPLIES}|\\?)$|unfinished`));
        }
      }
    });
  },
);
