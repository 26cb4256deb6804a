import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const major = process.env.NEST_MAJOR ?? '';
const ours = createRequire(join(process.cwd(), 'index.js'));
const packages = ours(join(dirname(ours.resolve('nestjs-gev')), '..', 'package.json')) as {
  peerDependencies: Record<string, string>;
};

/** The version of a package that a module of `from` gets to see. */
function versionSeen(from: NodeJS.Require, name: string): string {
  for (const folder of from.resolve.paths(name) ?? []) {
    try {
      const text = readFileSync(join(folder, name, 'package.json'), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch {
      continue;
    }
  }
  throw new Error(`${name} is not installed`);
}

for (const name of ['@nestjs/common', '@nestjs/core', '@nestjs/microservices']) {
  void test(`the package and this test both see ${name} ${major}`, () => {
    const theirs = createRequire(ours.resolve('nestjs-gev'));
    assert.equal(versionSeen(ours, name), versionSeen(theirs, name));
    assert.equal(versionSeen(ours, name).split('.')[0], major);
    assert.match(packages.peerDependencies[name] ?? '', new RegExp(`\\^${major}\\.`));
  });
}
