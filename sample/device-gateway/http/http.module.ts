import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { DevicesModule } from '../devices/devices.module.js';
import { DevicesController } from './devices.controller.js';
import { HealthController } from './health.controller.js';

@Module({ imports: [DevicesModule, TerminusModule], controllers: [DevicesController, HealthController] })
export class HttpModule {}
