import process from 'node:process';

/**
 * Tells the runner where a server listens, and ends the server with the runner: when EXIT_WITH_STDIN is set it leaves
 * once its standard input is closed, however the runner went.
 *
 * @param {number} port
 */
export function announce(port) {
  if (process.env.EXIT_WITH_STDIN) process.stdin.once('end', () => process.exit(0)).resume();
  process.stdout.write(`${JSON.stringify({ port })}\n`);
}
