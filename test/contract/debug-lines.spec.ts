import { describe, expect, it } from '@jest/globals';
import { Child, QUIET } from '../kit/child.js';

/** What a process that does a little of everything writes to stderr. */
async function errorsOf(NODE_DEBUG: string): Promise<{ lines: string[]; port: number }> {
  const child = Child.start([QUIET, 'test/kit/children/traced.mjs'], { env: { NODE_DEBUG, NO_COLOR: '1' } });
  const { port } = (await child.report('port')) as { port: number };
  await child.report('done');
  expect(await child.exit()).toEqual({ code: 0, signal: null });
  return { lines: child.errors, port };
}

describe('NODE_DEBUG', () => {
  it('N9: gev: what connections and calls do is told, line by line, and no data', async () => {
    const { lines, port } = await errorsOf('gev');
    for (const line of lines) expect(line).toMatch(/^GEV \d+: /);
    const text = lines.map((line) => line.replace(/^GEV \d+: /, '')).join('\n');
    const server = `127\\.0\\.0\\.1:${port}`;
    for (const expected of [
      `^listening on ${server}, loops: 1$`,
      '^timer "heartbeat" begins:\\ntimer 1: in 1 ms, then every 1 ms$',
      '^timer 1 runs, \\d+ ticks were skipped$',
      '^timer 1 is cancelled$',
      `^dial 1: ${server}, for \\d+ ms at most$`,
      `^connection \\d+ \\(${server}\\) dialled \\(1\\) at 127\\.0\\.0\\.1:\\d+, loop 0$`,
      `^connection \\d+ \\(127\\.0\\.0\\.1:\\d+\\) accepted at ${server}, loop 0$`,
      `^connection \\d+ \\(${server}\\) -> \\d+ bytes: request "1" "gev:hello"$`,
      `^connection \\d+ \\(127\\.0\\.0\\.1:\\d+\\) <- \\d+ bytes: request "\\d" "echo"$`,
      `^connection \\d+ \\(127\\.0\\.0\\.1:\\d+\\) -> \\d+ bytes: reply "\\d"$`,
      `^connection \\d+ \\(${server}\\) <- \\d+ bytes: reply "\\d"$`,
      `^connection \\d+ \\(${server}\\) <- \\d+ bytes: error "\\d"$`,
      `^request \\d failed: Internal server error$`,
      `^connection \\d+ \\(${server}\\) -> \\d+ bytes: event "news"$`,
      '^broadcast -> \\d+ bytes to 1 connections$',
      '^dial 1 failed: ECONNREFUSED$',
      '^request 0 is sent again in \\d+ ms, after: Cannot connect to ',
      '^connection \\d+ \\(.*\\) <- \\d+ bytes: request "a\\\\u001b\\[31m" "two\\\\nlines"$',
      '^connection \\d+ \\(.*\\) <- \\d+ bytes: request "deep" too deep to be shown$',
      '^connection \\d+ \\(.*\\) -> \\d+ bytes: reply "behind"$',
      '^connection \\d+ \\(.*\\): its peer has ended$',
      '^connection \\d+ \\(.*\\) closed \\(peer\\); \\d+ bytes in 3 messages received, \\d+ bytes in 3 sent$',
      '^draining 1 connections, within \\d+ ms$',
      '^asking 1 clients to go$',
      '-> \\d+ bytes: event "gev:goaway"$',
      '^connection \\d+ \\(.*\\): the server asks it to go; 0 calls in flight$',
      '^drained, with \\d+ ms left$',
      '^stopped$',
    ]) {
      expect(text).toMatch(new RegExp(expected, 'm'));
    }
    expect(text).not.toContain('secret');
  });

  it('N9: unset: nothing is told', async () => {
    expect((await errorsOf('')).lines).toEqual([]);
  });
});
