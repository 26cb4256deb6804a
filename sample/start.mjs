#!/usr/bin/env node
// Builds what is out of date, then runs a sample, or its client, in this very process, so that signals reach it.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What each project of nest-cli.json shows, and the variables that only it knows. */
const about = {
  'device-gateway': [
    'GPS trackers with a binary protocol (GT06), commanded by HTTP; health, configuration',
    'see its README.md',
  ],
  rpc: ['a service and its client: request, event, stream, and what stops when the client gives up'],
  migrate: ["the same service and client on Nest's TCP or on this", 'TRANSPORT=gev|tcp'],
  echo: ['the smallest server'],
  'max-connections': ['refusing clients beyond a limit', 'LIMIT=3'],
  'timed-push': ['pushing to every open connection once a second'],
  'line-chat': ['a chat in lines of text, for nc'],
  modbus: ["another protocol's packets at @MessagePattern() handlers: Modbus TCP"],
  hybrid: ["an HTTP application that lists the reactor's connections", 'HTTP_PORT=3000'],
};

const root = new URL('..', import.meta.url);
const { projects } = JSON.parse(readFileSync(new URL('nest-cli.json', root), 'utf8'));
const names = Object.keys(about).filter((name) => Object.hasOwn(projects, name));

const list = names.map((name) => {
  const [what, variables] = about[name];
  return `  ${name.padEnd(16)} ${what}${variables === undefined ? '' : ` (${variables})`}`;
});
const usage = `npm start [-- <sample> [--client] [<arguments>]]

Samples; without a name it is echo:
${list.join('\n')}

Options:
  --client         runs the sample's client instead, with the arguments that follow
  --help           this text

Environment, with defaults:
  HOST=127.0.0.1   where to listen, and whom the client dials
  PORT=1833        0: a free one, which the sample prints
  HTTP_PORT=3000   of samples with an HTTP side
  LOOPS=auto       native loops; 0: on the JavaScript thread
  NODE_DEBUG=gev   prints what connections and calls do`;

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) {
  console.log(usage);
  process.exit(0);
}
const name = args[0]?.startsWith('-') === false ? args.shift() : 'echo';
const client = args[0] === '--client';
if (client) args.shift();

if (!names.includes(name)) {
  console.error(`There is no sample "${name}".\n\n${usage}`);
  process.exit(1);
}
if (!client && args.length > 0) {
  console.error(
    `A service has no arguments, only variables of the environment: ${args.join(' ')}\n\n${usage}`,
  );
  process.exit(1);
}

const build = (...argv) => {
  const { status } = spawnSync(process.execPath, argv, { cwd: fileURLToPath(root), stdio: 'inherit' });
  if (status !== 0) process.exit(1);
};
build('native/build.mjs', '--quiet');
build('node_modules/typescript/bin/tsc', '-b', 'sample');

const entry = new URL(`sample/dist/${client ? `${name}/client` : projects[name].entryFile}.js`, root);
process.argv = [process.argv[0], fileURLToPath(entry), ...args];
await import(entry.href);
