import type { GevServerOptions } from 'nestjs-gev';

/** What the environment says, checked once at the start. */
export interface Settings {
  readonly HOST: string;
  /** For devices. */
  readonly PORT: number;
  readonly HTTP_PORT: number;
  readonly LOOPS: NonNullable<GevServerOptions['loops']>;
  /** The devices that may log in. */
  readonly IMEIS: 'any' | ReadonlySet<string>;
  /** What callers of the HTTP side must know. */
  readonly API_KEY: string;
  /** How long a device may take to log in, in ms. */
  readonly LOGIN_TIMEOUT: number;
  /** How long a device may take to acknowledge a command, in ms. */
  readonly COMMAND_TIMEOUT: number;
}

/** For ConfigModule: refuses to start with what makes no sense, or is no secret. */
export function validate(env: Record<string, unknown>): Settings {
  return {
    HOST: text(env, 'HOST', '127.0.0.1'),
    PORT: integer(env, 'PORT', 1833),
    HTTP_PORT: integer(env, 'HTTP_PORT', 3000),
    LOOPS: env.LOOPS === undefined || env.LOOPS === 'auto' ? 'auto' : integer(env, 'LOOPS', 0),
    IMEIS: imeis(env, 'IMEIS'),
    API_KEY: secret(env, 'API_KEY'),
    LOGIN_TIMEOUT: integer(env, 'LOGIN_TIMEOUT', 30_000),
    COMMAND_TIMEOUT: integer(env, 'COMMAND_TIMEOUT', 10_000),
  };
}

function text(env: Record<string, unknown>, name: string, otherwise: string): string {
  const value = env[name] ?? otherwise;
  if (typeof value !== 'string' || value === '') throw new Error(`${name} must not be empty`);
  return value;
}

function integer(env: Record<string, unknown>, name: string, otherwise: number): number {
  const value = Number(env[name] ?? otherwise);
  if (!Number.isInteger(value) || value < 0) throw new Error(`${name} must be a whole number`);
  return value;
}

/** A device proves nothing: who knows an IMEI can log in with it. So in production they are named. */
function imeis(env: Record<string, unknown>, name: string): 'any' | ReadonlySet<string> {
  if (env[name] === undefined && env.NODE_ENV === 'production') throw new Error(`${name} must be set`);
  const value = text(env, name, 'any');
  if (value === 'any') return value;
  const list = value.split(',').map((imei) => imei.trim());
  if (!list.every((imei) => /^\d{15}$/.test(imei)))
    throw new Error(`${name} must be "any", or numbers of 15 digits`);
  return new Set(list);
}

/** Known to everybody who reads this: good enough to try the sample, and for nothing else. */
function secret(env: Record<string, unknown>, name: string): string {
  if (env[name] === undefined && env.NODE_ENV === 'production') throw new Error(`${name} must be set`);
  return text(env, name, 'not-a-secret');
}
