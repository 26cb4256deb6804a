import { check } from './check.mjs';
import * as core from 'nestjs-gev/core';
import * as gev from 'nestjs-gev';
import * as msgpack from 'nestjs-gev/msgpack';

await check(gev, core, msgpack);
