#!/usr/bin/env node
// Builds addons to publish and checks what came of it.
//
//   npm run test:prebuilds [-- --host | <target>...]      all targets by default
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const targets = process.argv.slice(2);

function run(args, env = {}) {
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status !== 0) process.exit(status ?? 1);
}

run(['native/prebuild.mjs', ...targets]);
run(['--test', '--test-reporter=spec', 'test/prebuilds/prebuilds.test.mjs'], {
  GEV_PREBUILDS: targets.join(','),
});
