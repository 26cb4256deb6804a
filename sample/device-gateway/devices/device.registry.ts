import { Injectable } from '@nestjs/common';
import { GevServer, InjectGevServer } from 'nestjs-gev';
import type { Device } from './device.js';

/** The devices of this process that have said who they are, by name. */
@Injectable()
export class DeviceRegistry {
  private readonly devices = new Map<string, Device>();

  constructor(@InjectGevServer('devices') private readonly server: GevServer) {}

  /** Returns the one that had the name before: it has come back by another way, before we knew that it was gone. */
  add(name: string, device: Device): Device | undefined {
    const before = this.devices.get(name);
    this.devices.set(name, device);
    return before;
  }

  /** Does nothing for one whose name another has taken. */
  remove(device: Device): void {
    if (device.name !== undefined && this.find(device.name) === device) this.devices.delete(device.name);
  }

  find(name: string): Device | undefined {
    return this.devices.get(name);
  }

  get all(): Device[] {
    return [...this.devices.values()];
  }

  /** Sends a line to a device. False: it is not there. */
  push(name: string, line: string): boolean {
    return this.find(name)?.connection.trySend(`${line}\n`) ?? false;
  }

  /** Sends a line to all who have said who they are. Returns how many. */
  pushToAll(line: string): number {
    return this.server.broadcast(
      `${line}\n`,
      this.all.map(({ connection }) => connection),
    );
  }
}
