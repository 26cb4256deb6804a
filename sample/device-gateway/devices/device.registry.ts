import { Injectable } from '@nestjs/common';
import type { Device } from './device.js';

/** The devices of this process that have logged in, by their IMEI. */
@Injectable()
export class DeviceRegistry {
  private readonly devices = new Map<string, Device>();

  /** Returns the one that was here before: it has come back by another way, before we knew that it was gone. */
  add(device: Device): Device | undefined {
    const before = this.find(device.imei);
    this.devices.set(device.imei, device);
    return before;
  }

  /** Does nothing for one whose place another has taken. */
  remove(device: Device): void {
    if (this.find(device.imei) === device) this.devices.delete(device.imei);
  }

  find(imei: string): Device | undefined {
    return this.devices.get(imei);
  }

  get all(): Device[] {
    return [...this.devices.values()];
  }
}
