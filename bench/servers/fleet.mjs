// Servers that are restarted one after the other, each a process of its own. SHARED in the environment: one after the other
// on one port, a successor begins before the old one ends; else two, each on a port of its own. Takes commands on its own
// port, a line each: `ports`, `restart <index>`, `report`, which ends all and tells what they have handled.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { announce } from './announce.mjs';

const script = fileURLToPath(new URL('fleet-member.mjs', import.meta.url));
const shared = process.env.SHARED === '1';
const handled = { requests: [], events: [] };
const closeMillis = [];

async function start(port = 0) {
  const child = fork(script, { env: { ...process.env, PORT: String(port) } });
  const [{ port: bound }] = await once(child, 'message');
  return { child, port: bound };
}

async function stop({ child }) {
  const told = once(child, 'message');
  const gone = once(child, 'exit');
  child.send('stop');
  const [report] = await told;
  for (const kind of ['requests', 'events']) handled[kind].push(...report.handled[kind]);
  closeMillis.push(report.closeMillis);
  await gone;
}

const members = await Promise.all(Array.from({ length: shared ? 1 : 2 }, () => start()));

async function restart(index) {
  const old = members[index];
  if (!shared) await stop(old);
  members[index] = await start(old.port);
  if (shared) await stop(old);
}

async function carryOut(command, argument) {
  if (command === 'ports') return members.map(({ port }) => port);
  if (command === 'restart') return restart(Number(argument));
  await Promise.all(members.map(stop));
  return { handled, closeMillis };
}

const control = createServer(async (socket) => {
  for await (const line of createInterface({ input: socket })) {
    const answer = await carryOut(...line.split(' '));
    socket.write(`${JSON.stringify(answer ?? null)}\n`);
  }
});
control.listen(0, '127.0.0.1', () => announce(control.address().port));
