const gev = require('nestjs-gev');
const core = require('nestjs-gev/core');

import('./check.mjs').then(({ check }) => check(gev, core));
