import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { BenchError } from '../runner/errors.mjs';
import { benchFolder, projectFolder, revisionsFolder } from '../runner/paths.mjs';

/**
 * What a contender needs of a revision: its package as it would be installed, and in bench/ the programs of *this*
 * tree, which so import that package. Both revisions run the same programs, and nothing that is built or edited
 * meanwhile reaches them.
 *
 * @param {string} checkout a built tree
 * @param {string} name of the folder; what is there by that name is replaced
 * @returns {string} the folder
 */
export function stage(checkout, name) {
  const folder = join(revisionsFolder, `run-${process.pid}`, name);
  rmSync(folder, { recursive: true, force: true });
  const loader = join('native', 'load.cjs'); // older revisions have it in dist
  for (const part of ['package.json', 'dist', loader, join('native', 'build', 'nestjs_gev.node')]) {
    if (part !== loader || existsSync(join(checkout, part)))
      cpSync(join(checkout, part), join(folder, part), { recursive: true });
  }
  for (const part of ['servers', 'clients', 'runner']) {
    cpSync(join(benchFolder, part), join(folder, 'bench', part), { recursive: true });
  }
  const ownModules = join(checkout, 'node_modules');
  // Otherwise they are found where Node looks next: in this project, the staged folder being in it.
  if (checkout !== projectFolder && existsSync(ownModules))
    symlinkSync(ownModules, join(folder, 'node_modules'));
  return folder;
}

/** Removes what was staged. */
export function unstage() {
  rmSync(join(revisionsFolder, `run-${process.pid}`), { recursive: true, force: true });
}

/** Builds this tree, should it have changed. */
export function buildThisTree() {
  build(projectFolder);
  return projectFolder;
}

/**
 * @param {string} name anything git knows
 * @returns {string} the commit's full name
 */
export function resolveRevision(name) {
  const { status, stdout } = spawnSync('git', ['rev-parse', '--verify', '--quiet', `${name}^{commit}`], {
    cwd: projectFolder,
    encoding: 'utf8',
  });
  if (status !== 0) throw new BenchError(`--compare: git knows no revision "${name}".`);
  return stdout.trim();
}

/**
 * A built checkout of a commit. It is kept, so that the next comparison with it starts at once; a build that fails
 * leaves nothing.
 *
 * @param {string} commit
 * @param {(step: string) => void} onStep
 * @returns {string} the folder
 */
export function checkOut(commit, onStep) {
  const folder = join(revisionsFolder, commit);
  if (existsSync(folder)) {
    if (hasDependencies(folder)) return folder;
    rmSync(folder, { recursive: true }); // this tree's dependencies were its own when it was built
  }
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  try {
    onStep('checking it out');
    run('sh', ['-c', 'git archive "$1" | tar -x -C "$2"', 'sh', commit, fresh], projectFolder);
    if (!hasDependencies(fresh)) {
      onStep('installing its dependencies');
      run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], fresh);
    }
    onStep('building it');
    build(fresh);
    if (existsSync(folder))
      rmSync(fresh, { recursive: true }); // somebody else was faster
    else renameSync(fresh, folder);
    return folder;
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    throw error;
  }
}

/** Whether it finds those of its lockfile: its own, or this tree's, which lie on Node's way up. */
function hasDependencies(folder) {
  const lockfile = (of) => readFileSync(join(of, 'package-lock.json'));
  return existsSync(join(folder, 'node_modules')) || lockfile(folder).equals(lockfile(projectFolder));
}

function build(folder) {
  run(process.execPath, [join('native', 'build.mjs'), '--quiet'], folder);
  run('npm', ['run', '--silent', 'build:ts'], folder);
}

function run(command, args, cwd) {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (error) throw new BenchError(`${command} did not start (${error.code}).`);
  if (status !== 0)
    throw new BenchError(`${command} ${args.join(' ')} failed in ${cwd}:\n${stdout}${stderr}`);
}
