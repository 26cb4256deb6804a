import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { TestEnvironment } from 'jest-environment-node';

const addon = fileURLToPath(new URL('../../native/build/nestjs_gev.node', import.meta.url));
const { ledger } = existsSync(addon) ? createRequire(import.meta.url)(addon) : {};

/** What may take a moment: closing a libuv handle takes an iteration of Node's loop, collecting garbage a few. */
const PATIENCE = 5000;

/**
 * Jest's Node environment, which fails a test file that leaves something native behind: a connection, a timer, a
 * descriptor, a thread. Only an addon built with assertions (`--debug`, `--sanitize`) can tell.
 */
export default class LedgerEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    this.before = ledger?.();
  }

  async teardown() {
    await super.teardown();
    if (ledger === undefined) return;
    const deadline = Date.now() + PATIENCE;
    while (this.left().length > 0 && Date.now() < deadline) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (this.left().length > 0) throw new Error(`The test file left behind: ${this.left().join(', ')}.`);
  }

  left() {
    return Object.entries(ledger())
      .map(([asset, count]) => [asset, count - this.before[asset]])
      .filter(([, count]) => count > 0)
      .map(([asset, count]) => `${count} ${asset}`);
  }
}
