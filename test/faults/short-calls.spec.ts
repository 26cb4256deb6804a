import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { sanitized, startServer } from '../kit/server-process.js';

const source = fileURLToPath(new URL('../kit/preload/short_calls.c', import.meta.url));
const ifLinux = process.platform === 'linux' && !sanitized ? describe : describe.skip;

/** Builds what makes each call of a process move fewer bytes than it could. */
function shortCalls(seed: number): NodeJS.ProcessEnv {
  const folder = mkdtempSync(join(tmpdir(), 'gev-preload-'));
  onCleanup(() => rmSync(folder, { recursive: true }));
  const library = join(folder, 'short_calls.so');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
  return { LD_PRELOAD: library, SHORT_CALLS: String(seed) };
}

ifLinux.each([
  ['TCP', 0],
  ['TCP', 1],
  ['Unix', 0],
  ['Unix', 1],
])('calls that move less than they could, on %s sockets and %i loops', (family, loops) => {
  it.each([1, 2])('FAULTS 9: a 3 MB echo is whole, whatever the calls leave (seed %i)', async (seed) => {
    const env = shortCalls(seed);
    const path = join(env.LD_PRELOAD!, '../socket');
    const options = family === 'Unix' ? { loops, path } : { loops };
    const { port } = await startServer('echo', options, { env });
    const peer = (await Peer.connect(family === 'Unix' ? { path } : port)).read();
    const data = randomBytes(3_000_000);
    peer.write(data);
    expect((await peer.take(data.length)).equals(data)).toBe(true);
  });

  it.each([1, 2])('FAULTS 9: of 500 small messages in turn none is left lying (seed %i)', async (seed) => {
    const env = shortCalls(seed);
    const path = join(env.LD_PRELOAD!, '../socket');
    const options = family === 'Unix' ? { loops, path } : { loops };
    const { port } = await startServer('echo', options, { env });
    const peer = (await Peer.connect(family === 'Unix' ? { path } : port)).read();
    for (let i = 0; i < 500; i++) {
      const message = randomBytes(1 + (i % 64));
      peer.write(message);
      expect((await peer.take(message.length)).equals(message)).toBe(true);
    }
  });
});
