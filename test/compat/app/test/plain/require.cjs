const gev = require('nestjs-gev');
const core = require('nestjs-gev/core');
const msgpack = require('nestjs-gev/msgpack');

import('./check.mjs').then(({ check }) => check(gev, core, msgpack));
