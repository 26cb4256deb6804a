import type { GevConnection, GevTimer } from 'nestjs-gev';
import type { Gt06Frame } from '../gt06/gt06-frame.js';
import type { Position, Status } from '../gt06/gt06-messages.js';

/** A device that has logged in, and what it said since. */
export class Device {
  position: Position | undefined;
  status: Status | undefined;
  positions = 0;

  constructor(
    readonly imei: string,
    readonly connection: DeviceConnection,
  ) {}

  toJSON(): object {
    const { imei, positions, position, status, connection } = this;
    const { remoteAddress, openedAt } = connection;
    return { imei, remoteAddress, since: new Date(openedAt).toISOString(), positions, position, status };
  }
}

/** What is kept of a connection: who it is, or until when it has to say so. */
export interface Session {
  device?: Device;
  deadline?: GevTimer;
}

export type DeviceConnection = GevConnection<Session, Gt06Frame>;
