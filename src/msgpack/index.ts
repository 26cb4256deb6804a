/** `nestjs-gev/msgpack`: needs the package `msgpackr`. */
export { msgpack, type MsgpackOptions } from './msgpack.js';
