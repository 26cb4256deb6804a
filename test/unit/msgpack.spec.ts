import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { FrameCheck } from '../../src/msgpack/frame-check.js';
import { GevMissingPackageError } from '../../src/core/missing-package-error.js';
import { root } from '../kit/child.js';

describe('msgpack() without msgpackr', () => {
  it('is an error that says what to install', () => {
    // In a process that cannot find it.
    const script = `
      const Module = require('node:module');
      const resolve = Module._resolveFilename;
      Module._resolveFilename = function (name, ...rest) {
        if (name === 'msgpackr') throw Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' });
        return resolve.call(this, name, ...rest);
      };
      const { msgpack } = require(${JSON.stringify(join(root, 'dist', 'msgpack', 'index.cjs'))});
      try {
        msgpack();
      } catch ({ name, code, packageName, message, cause }) {
        console.log(JSON.stringify({ name, code, packageName, message, cause: cause.code }));
      }`;
    expect(JSON.parse(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }))).toEqual({
      name: GevMissingPackageError.name,
      code: 'ERR_GEV_MISSING_PACKAGE',
      packageName: 'msgpackr',
      message: 'msgpack() needs the package msgpackr: run "npm i msgpackr"',
      cause: 'MODULE_NOT_FOUND',
    });
  });
});

describe('the check of a frame', () => {
  const check = new FrameCheck({ maxDepth: 3, maxElements: 8 });
  const of = (hex: string) => () => check.check(Buffer.from(hex, 'hex'));

  it.each([
    ['numbers of every length', '97cc01cd0001ce00000001d0ffd1ffffd2ffffffffca00000000'],
    ['of 64 bits', '93cf0000000000000001d30000000000000001cb0000000000000000'],
    ['strings, bytes and timestamps', '97d90162da000163db0000000164c40101c5000101c60000000101d6ff00000000'],
    ['longer timestamps', '92d7ff0000000000000000c70cff000000000000000000000000'],
    ['three levels', '91919101'],
    ['as many elements as may be', '97c0c2c3007fe0ff'],
    ['maps', '81a16182a162c0a163de0000'],
  ])('R3: lets pass: %s', (_, hex) => expect(of(hex)).not.toThrow());

  it.each([
    ['four levels', '9191919101', 'nested more than 3 deep'],
    ['one element too many', '98c0c2c3007fe0ff00', 'more than 8 elements'],
    ['elements that add up', '94920102920102', 'more than 8 elements'],
    ['a map that ends within', '81a161', 'the end of the frame'],
    ['a length that ends within', 'da00', 'the end of the frame'],
    ['two values', '0000', '1 bytes behind'],
  ])('R3: refuses: %s', (_, hex, message) => expect(of(hex)).toThrow(message));

  it('R3: is of use again after a frame that it has refused', () => {
    expect(of('91919191')).toThrow();
    expect(of('01')).not.toThrow();
  });
});
