import { Module } from '@nestjs/common';
import { DeviceGateway } from './device.gateway.js';
import { DeviceRegistry } from './device.registry.js';
import { DeviceTokens } from './device-tokens.js';

@Module({
  controllers: [DeviceGateway],
  providers: [DeviceRegistry, DeviceTokens],
  exports: [DeviceRegistry],
})
export class DevicesModule {}
