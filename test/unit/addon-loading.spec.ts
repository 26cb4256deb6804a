import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BindingError, loadBinding } from '../../src/engine/native/binding.js';
import { VERSION } from '../../src/engine/native/version.js';

const root = join(import.meta.dirname, '..', '..');

interface Machine {
  readonly platform?: string;
  readonly arch?: string;
  /** Of glibc; none: another libc. */
  readonly glibc?: string;
  readonly env?: NodeJS.ProcessEnv;
}

interface Loaded {
  readonly tried: readonly string[];
  readonly bundled: boolean;
  readonly message?: string;
}

/** What a loader says in a process that seems to run on that machine. */
function loadOn({ platform = 'linux', arch = 'x64', glibc, env = {} }: Machine, loader: string): Loaded {
  const script = `
    Object.defineProperty(process, 'platform', { value: ${JSON.stringify(platform)} });
    Object.defineProperty(process, 'arch', { value: ${JSON.stringify(arch)} });
    process.report.getReport = () => ({ header: { glibcVersionRuntime: ${JSON.stringify(glibc)} } });
    const { tried, bundled, error } = require(${JSON.stringify(loader)}).loadAddon();
    console.log(JSON.stringify({ tried, bundled, message: error?.message }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Loaded;
}

describe('loading the addon', () => {
  let folder: string;
  /** In a package as it is installed, and in a file that a bundler has written. */
  let loader: string, bundle: string;

  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'gev-addon-')));
    loader = join(folder, 'node_modules', 'nestjs-gev', 'native', 'load.cjs');
    bundle = join(folder, 'dist', 'main.cjs');
    for (const file of [loader, bundle]) {
      mkdirSync(dirname(file), { recursive: true });
      copyFileSync(join(root, 'native', 'load.cjs'), file);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each<[string, Machine]>([
    ['linux-x64/node.napi.glibc.node', { glibc: '2.17' }],
    ['linux-x64/node.napi.musl.node', {}],
    ['linux-arm64/node.napi.glibc.node', { arch: 'arm64', glibc: '2.36' }],
    ['linux-arm64/node.napi.musl.node', { arch: 'arm64', env: { LIBC: 'glibc' } }],
    ['darwin-arm64/node.napi.node', { platform: 'darwin', arch: 'arm64' }],
  ])('J1: it is prebuilds/%s where Node itself says so', (file, machine) => {
    const { tried, bundled } = loadOn(machine, loader);
    const packageFolder = join(dirname(loader), '..');
    expect(tried).toEqual([
      join(packageFolder, 'native', 'build', 'nestjs_gev.node'),
      join(packageFolder, 'prebuilds', file),
    ]);
    expect(bundled).toBe(false);
  });

  it('one that was built from source is preferred, and one that GEV_ADDON names is the only one', () => {
    const build = join(dirname(loader), 'build');
    const own = join(folder, 'own.node');
    mkdirSync(build);
    for (const file of [join(build, 'nestjs_gev.node'), own]) writeFileSync(file, 'no addon');
    expect(loadOn({ glibc: '2.36' }, loader).message).toContain(join(build, 'nestjs_gev.node'));
    const { tried, message } = loadOn({ env: { GEV_ADDON: own } }, loader);
    expect(tried).toEqual([own]);
    expect(message).toContain('own.node');
  });

  it('a bundle finds it in a prebuilds folder beside itself', () => {
    const { tried, bundled } = loadOn({ glibc: '2.36' }, bundle);
    expect(tried).toEqual([join(dirname(bundle), 'prebuilds', 'linux-x64', 'node.napi.glibc.node')]);
    expect(bundled).toBe(true);
  });

  it('the addon and the JavaScript are of one version, that of package.json', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(VERSION).toBe(version);
    expect(loadBinding().version).toBe(version);
  });
});

/** What listening fails with where GEV_ADDON is what is given. */
function failure(addon: string): string {
  const script = `
    import { GevServer } from 'nestjs-gev';
    new GevServer({ port: 0 }).listen((error) => console.log(error.code + ' ' + error.message));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    cwd: root,
    env: { PATH: process.env.PATH, GEV_ADDON: addon },
  });
  if (stdout === '') throw new Error(stderr);
  return stdout;
}

describe('GevNativeError', () => {
  it('says where the addon was looked for and what to do', () => {
    const message = failure('/nowhere/to be/found.node');
    expect(message).toContain('ERR_GEV_NATIVE_MISSING No native addon for');
    expect(message).toContain('(not found). Looked for:\n  /nowhere/to be/found.node\n');
    expect(message).toContain('unset GEV_ADDON');
  });

  it('tells somebody whose bundler has left the addon behind how to take it along', () => {
    const { message } = new BindingError('not found', { addon: undefined, tried: ['/x'], bundled: true });
    expect(message).toMatch(/keep nestjs-gev out of the bundle.* or copy .*prebuilds beside it/);
  });

  it("has the system's own words of an addon that does not load", () => {
    const file = join(mkdtempSync(join(tmpdir(), 'gev-addon-')), 'broken.node');
    writeFileSync(file, 'no addon');
    expect(failure(file)).toMatch(/it does not load: .*broken\.node/);
    rmSync(dirname(file), { recursive: true });
  });
});
