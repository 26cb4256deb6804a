// Applications to try the packed package in: a folder for each major version of Nest, with its dependencies installed by
// the lockfile of nest-11 or nest-12, the package from its tarball, and the application of app/.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const here = fileURLToPath(new URL('.', import.meta.url));
export const cache = fileURLToPath(new URL('../../.cache/compat', import.meta.url));
const TIMEOUT = 240_000;

/** What is installed in a folder is what the lockfile says. */
function isInstalled(folder, lockfile) {
  const installed = join(folder, 'package-lock.json');
  return (
    existsSync(join(folder, 'node_modules', '.package-lock.json')) &&
    existsSync(installed) &&
    readFileSync(installed, 'utf8') === readFileSync(lockfile, 'utf8')
  );
}

/** Installs what the lockfile of `nest-<major>` names; it stays until that changes. */
export async function install(major) {
  const source = join(here, `nest-${major}`);
  const folder = join(cache, `nest-${major}`);
  if (!isInstalled(folder, join(source, 'package-lock.json'))) {
    rmSync(folder, { recursive: true, force: true });
    cpSync(source, folder, { recursive: true });
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'];
    await promisify(execFile)('npm', args, { cwd: folder, timeout: TIMEOUT });
  }
  return folder;
}

/** Puts the application, as ESM where `esm`, and its configuration into a folder, in place of what was there. */
export function addApplication(folder, major, { esm, configure = true }) {
  for (const name of ['src', 'test', 'dist', 'out']) {
    rmSync(join(folder, name), { recursive: true, force: true });
  }
  if (configure) cpSync(join(here, `nest-${major}`), folder, { recursive: true });
  cpSync(join(here, 'app'), folder, { recursive: true });
  if (!esm) return;
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!/^(src|test)\/.*\.ts$/.test(name)) continue;
    const text = readFileSync(join(folder, name), 'utf8');
    writeFileSync(join(folder, name), text.replace(/(from '\.[^']*)'/g, "$1.js'"));
  }
}

/** Unpacks the package's tarball as npm does. */
export function addPackage(folder, tarball) {
  const target = join(folder, 'node_modules', 'nestjs-gev');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', target, '--strip-components=1']);
  return target;
}

export function run(node, args, cwd, env = {}) {
  try {
    execFileSync(node, args, {
      ...{ cwd, timeout: TIMEOUT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
      env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '', ...env },
    });
  } catch (error) {
    throw new Error(`${args.join(' ')}\n${error.stdout ?? ''}${error.stderr ?? ''}`, { cause: error });
  }
}

/** Runs a command of an installed package. */
export function bin(folder, name, ...args) {
  run(process.execPath, [join('node_modules', '.bin', name), ...args], folder);
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts the application that was built, asks it for a sum in Nest's own format, and has it end by SIGTERM. */
export async function startAndAsk(node, main, cwd) {
  const port = await freePort();
  const child = spawn(node, ['--enable-source-maps', main], {
    cwd,
    env: { ...process.env, NODE_OPTIONS: '', PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  let output = '';
  child.stderr.on('data', (data) => (output += data));
  const exited = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)));
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      output += `${line}\n`;
      if (line === 'listening') break;
    }
    const code = await askForSum(port).catch((error) => {
      throw new Error(`${main} on ${node}: ${error.message}\n${output}`);
    });
    if (code !== 6) throw new Error(`${main} on ${node}: the sum was ${code}\n${output}`);
    child.kill('SIGTERM');
    const end = await exited;
    if (end !== 'SIGTERM' && end !== 0) throw new Error(`${main} on ${node} ended by ${end}\n${output}`);
  } finally {
    child.kill('SIGKILL');
  }
}

async function askForSum(port) {
  const packet = JSON.stringify({ pattern: 'sum', data: [1, 2, 3], id: '1' });
  const socket = connect(port, '127.0.0.1');
  try {
    socket.write(`${packet.length}#${packet}`);
    let text = '';
    for await (const data of socket) {
      text += String(data);
      const reply = /^\d+#(.*\})$/s.exec(text);
      if (reply !== null) return JSON.parse(reply[1]).response;
    }
    throw new Error(`no reply, but ${JSON.stringify(text)}`);
  } finally {
    socket.destroy();
  }
}
