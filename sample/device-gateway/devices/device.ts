import type { GevConnection, GevTimer } from 'nestjs-gev';
import { LineReader } from './line-reader.js';

const LONGEST_LINE = 4_096;

/** What is kept of a connection from its first moment on. */
export class Device {
  /** Undefined until it has said who it is. */
  name: string | undefined;
  lastReading: unknown;
  readings = 0;
  /** Ends a connection that does not say who it is. */
  deadline: GevTimer | undefined;
  readonly lines = new LineReader(LONGEST_LINE);

  constructor(readonly connection: DeviceConnection) {}

  toJSON(): object {
    const { name, readings, lastReading, connection } = this;
    const { remoteAddress, openedAt } = connection;
    return { name, remoteAddress, since: new Date(openedAt).toISOString(), readings, lastReading };
  }
}

/** `data` is empty until `@OnConnect` has put the device there. */
export type DeviceConnection = GevConnection<{ device?: Device }>;
