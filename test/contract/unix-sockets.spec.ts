import { describe, expect, it } from '@jest/globals';
import { GevServer, raw } from 'nestjs-gev';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { onCleanup } from '../kit/cleanup.js';
import { pause } from '../kit/until.js';

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gev-'));
  onCleanup(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const listen = (server: GevServer): Promise<Error | undefined> =>
  new Promise((resolve) => server.listen((error) => resolve(error)));

/** Whether somebody accepts there. */
const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path, () => resolve(true)).on('error', () => resolve(false));
    onCleanup(() => socket.destroy());
  });

describe.each([0, 1])('the file of a Unix socket, on %i loops', (loops) => {
  const serverAt = (path: string): GevServer => {
    const server = new GevServer({ loops, path, codec: raw() });
    onCleanup(() => server.close());
    return server;
  };

  it('D4: is gone when accepting ends, and nothing is left beside it', async () => {
    const folder = temporaryFolder();
    const server = serverAt(join(folder, 'socket'));
    expect(await listen(server)).toBeUndefined();
    expect(readdirSync(folder)).toEqual(['socket']);
    await server.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('D4: of a successor, which was renamed over it, is left alone', async () => {
    const path = join(temporaryFolder(), 'socket');
    const old = serverAt(path);
    const successor = serverAt(`${path}.new`);
    expect(await listen(old)).toBeUndefined();
    expect(await listen(successor)).toBeUndefined();
    renameSync(`${path}.new`, path);
    await old.close();
    expect(existsSync(path)).toBe(true);
    expect(await answers(path)).toBe(true);
  });

  it('D4: of a successor, which began while this one still drained, is left alone', async () => {
    const path = join(temporaryFolder(), 'socket');
    const old = serverAt(path);
    expect(await listen(old)).toBeUndefined();
    const closing = old.close();
    const successor = serverAt(path);
    while ((await listen(successor)) !== undefined) await pause(1);
    await closing;
    expect(await answers(path)).toBe(true);
  });

  it('D4: given by a relative path is gone although the process is in another folder', async () => {
    const folder = temporaryFolder();
    const home = process.cwd();
    onCleanup(() => process.chdir(home));
    const server = serverAt(relative(home, join(folder, 'socket')));
    expect(await listen(server)).toBeUndefined();
    process.chdir(tmpdir());
    await server.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('D4: is one that somebody accepts on: in use; of two that start at once, one wins', async () => {
    const path = join(temporaryFolder(), 'socket');
    const other = createServer().listen(path);
    onCleanup(() => other.close());
    await new Promise((resolve) => other.once('listening', resolve));
    expect(await listen(serverAt(path))).toMatchObject({ code: 'EADDRINUSE' });
    const second = `${path}.2`;
    const outcomes = await Promise.all([listen(serverAt(second)), listen(serverAt(second))]);
    expect(outcomes.filter((outcome) => outcome === undefined)).toHaveLength(1);
    expect(await answers(second)).toBe(true);
  });

  it("D4: is made beside somebody's own file of the lock's name, which stays", async () => {
    const path = join(temporaryFolder(), 'socket');
    writeFileSync(`${path}.lock`, '4711');
    expect(await listen(serverAt(path))).toBeUndefined();
    expect(readFileSync(`${path}.lock`, 'utf8')).toBe('4711');
  });
});
