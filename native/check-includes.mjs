#!/usr/bin/env node
// Includes point one way: reactor/poller < reactor < tls, protocol < bridge < addon. Node-API and libuv stay in
// addon/, OpenSSL in tls/, and product code knows the tests only through GEV_SOCKET_OPS_HEADER.
//
//   node native/check-includes.mjs [<file>...]      without files: all of native/
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { native } from './toolchain.mjs';

/** What a back end may know of reactor/ stands on its level. */
const foundations =
  'address_ranges|clock|close_reason|endpoint|error|kernel_ops|ledger|poller|socket|socket_file|socket_ops';
const layers = [
  { name: 'reactor/poller', files: new RegExp(`^reactor/(poller/|(${foundations})\\.)`) },
  { name: 'reactor', files: /^reactor\// },
  { name: 'tls', files: /^tls\// },
  { name: 'protocol', files: /^protocol\// },
  { name: 'bridge', files: /^bridge\// },
  { name: 'addon', files: /^addon\// },
];
const addon = layers.length - 1;
const layerOf = (path) => layers.findIndex(({ files }) => files.test(path));
const isNode = (path) => /(^|\/)(napi|node\w*|js_native_api\w*|uv|uv_min|v8)\.h$/.test(path);

function problemWith(layer, path, quoted) {
  if (layer !== addon && isNode(path)) return 'Node-API and libuv belong in addon/';
  if (!quoted) return undefined;
  if (path.startsWith('test/')) return 'product code includes nothing from test/';
  const other = layerOf(path);
  if (other < 0) return 'write the path from native/, for example "reactor/event_loop.h"';
  if (layers[other].name === 'tls' && layer !== other && layer !== addon)
    return 'OpenSSL is known in tls/ only';
  return other > layer ? `${layers[layer].name} is below ${layers[other].name}` : undefined;
}

/** @param {readonly string[]} files relative to native/ @returns {string[]} one line for each violation */
export function checkIncludes(files) {
  return files.flatMap((file) => {
    const layer = layerOf(file);
    if (layer < 0) return [];
    const lines = readFileSync(join(native, file), 'utf8').split('\n');
    return lines.flatMap((line, index) => {
      const [, open, path] = /^\s*#\s*include\s*([<"])([^>"]+)/.exec(line) ?? [];
      const problem = path && problemWith(layer, path, open === '"');
      return problem ? [`native/${file}:${index + 1}: includes ${path}: ${problem}`] : [];
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const given = process.argv.slice(2).map((file) => relative(native, file));
  const all = () =>
    readdirSync(native, { recursive: true }).filter(
      (file) => /\.(cc|h)$/.test(file) && !file.startsWith('build/'),
    );
  const complaints = checkIncludes(given.length > 0 ? given : all());
  for (const complaint of complaints) console.error(complaint);
  process.exit(complaints.length > 0 ? 1 : 0);
}
