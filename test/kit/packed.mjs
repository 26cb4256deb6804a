// The package as a user gets it: what `npm pack` makes of this tree, with the addon of this machine in its place among the
// prebuilt ones.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

function npm(args, cwd) {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

function pack(folder, into) {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', into];
  return join(into, JSON.parse(npm(args, folder))[0].filename);
}

/** Where a prebuilt addon of this machine belongs, seen from the package's folder. */
export function prebuiltPath() {
  const { tried } = createRequire(import.meta.url)('../../native/load.cjs').loadAddon();
  return relative(root, tried.at(-1));
}

/** Builds and packs the package. Returns the path of the tarball, which lies in `into`. */
export function packed(into) {
  npm(['run', 'prepare'], root);
  mkdirSync(into, { recursive: true });
  const tarball = pack(root, into);
  const unpacked = mkdtempSync(join(into, 'unpacked-'));
  try {
    execFileSync('tar', ['-xzf', tarball, '-C', unpacked, '--strip-components=1']);
    const addon = join(unpacked, prebuiltPath());
    mkdirSync(dirname(addon), { recursive: true });
    copyFileSync(join(root, 'native', 'build', 'nestjs_gev.node'), addon);
    return pack(unpacked, into);
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }
}
