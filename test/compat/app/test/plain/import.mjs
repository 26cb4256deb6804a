import { check } from './check.mjs';
import * as core from 'nestjs-gev/core';
import * as gev from 'nestjs-gev';

await check(gev, core);
