import { Module } from '@nestjs/common';
import { DeviceGateway } from './device.gateway.js';
import { DeviceRegistry } from './device.registry.js';

@Module({
  controllers: [DeviceGateway],
  providers: [DeviceRegistry],
  exports: [DeviceRegistry],
})
export class DevicesModule {}
