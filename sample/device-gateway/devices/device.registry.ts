import { Injectable } from '@nestjs/common';
import { GevServer, InjectGevServer } from 'nestjs-gev';
import type { Device, Session } from './device.js';

/** The devices of this process that have logged in: the server knows their connections by their IMEI. */
@Injectable()
export class DeviceRegistry {
  constructor(@InjectGevServer('devices') private readonly server: GevServer) {}

  find(imei: string): Device | undefined {
    return this.server.get<Session>(imei)?.data.device;
  }

  /** Each once: one that has come back by another connection may still have the former one. */
  get all(): Device[] {
    const devices = new Set<Device>();
    for (const { identity = '' } of this.server) {
      const device = this.find(identity);
      if (device !== undefined) devices.add(device);
    }
    return [...devices];
  }
}
