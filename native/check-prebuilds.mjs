#!/usr/bin/env node
// Before a package is made: fails unless every addon that it is published with is there, built from the sources as they are.
import { isCurrent, targets } from './prebuilds.mjs';
import { fail } from './toolchain.mjs';

const wanting = Object.keys(targets).filter((name) => !isCurrent(targets[name]));
if (wanting.length > 0)
  fail(`Addons are missing or older than what they are made of:\n  npm run prebuild -- ${wanting.join(' ')}`);
