import { join } from 'node:path';
import process from 'node:process';
import { benchFolder } from '../runner/paths.mjs';

/**
 * MessagePack beside JSON: one GevClient and one GevServer, a small object and 16 KiB of bytes there and back. With JSON bytes
 * travel as text of base64, which both sides make and read, or as what Buffer makes of itself.
 */

const script = (...path) => [process.execPath, join(benchFolder, ...path)];

const contender = (payload, codec, label) => {
  const env = { PAYLOAD: payload, CODEC: codec };
  return {
    id: `gev-${payload}-${codec}`,
    label,
    command: script('servers', 'payloads.mjs'),
    env: { ...env, LOOPS: '0' },
    generator: { command: script('clients', 'rpc-client.mjs'), env: { ...env, CLIENT: 'gev' } },
  };
};

const rate = 'messagesPerSecond';

const columns = (over) => [
  { title: 'calls/s', metric: rate },
  { title: '× JSON', metric: rate, over },
  { title: 'client CPU µs/call', metric: 'clientCpuMicros', digits: 2 },
  { title: 'server CPU µs/call', metric: 'serverCpuMicros', digits: 2 },
  { title: 'p50 µs', metric: 'p50Micros' },
  { title: 'p99 µs', metric: 'p99Micros' },
];

const benchCase = (id, title, contenders, atLeast, load) => {
  const over = contenders[0].id;
  return {
    ...{ id, title, contenders, load },
    columns: columns(over),
    targets: [
      { title: 'calls/s, msgpack() to nestJson()', contender: contenders[1].id, metric: rate, over, atLeast },
    ],
  };
};

/** @type {import('../runner/workload.mjs').Workload} */
export const workload = {
  name: 'msgpack',
  connections: 1,
  seconds: 2,
  quickSeconds: 0.5,
  cases: ({ seconds, warmUp }) => [
    benchCase(
      'object',
      'msgpack · a small object there and back, 64 calls outstanding',
      [contender('object', 'json-base64', 'nestJson()'), contender('object', 'msgpack', 'msgpack()')],
      1,
      { depth: 64, seconds, 'warm-up': warmUp },
    ),
    benchCase(
      'binary',
      'msgpack · 16 KiB there and back, 16 calls outstanding',
      [
        contender('binary', 'json-base64', 'nestJson(), base64'),
        contender('binary', 'msgpack', 'msgpack()'),
        contender('binary', 'json-buffer', 'nestJson(), Buffers as JSON'),
      ],
      2,
      { depth: 16, seconds, 'warm-up': warmUp },
    ),
  ],
};
