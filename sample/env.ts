import type { GevServerOptions } from 'nestjs-gev';

const { HOST, PORT, LOOPS } = process.env;

/** Where the samples listen and dial, and on how many loops: HOST, PORT and LOOPS from the environment. */
export const host = HOST ?? '127.0.0.1';
export const port = Number(PORT ?? 1833);
export const loops: GevServerOptions['loops'] =
  LOOPS === undefined || LOOPS === 'auto' ? 'auto' : Number(LOOPS);
