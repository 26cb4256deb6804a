import {
  BadGatewayException,
  BadRequestException,
  Body,
  Controller,
  GatewayTimeoutException,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  Post,
  UseGuards,
} from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { GevConnectionLostError, GevTimeoutError } from 'nestjs-gev';
import type { Device } from '../devices/device.js';
import { DeviceRegistry } from '../devices/device.registry.js';
import type { Settings } from '../settings.js';
import { ApiKeyGuard } from './api-key.guard.js';

/** What a device takes: printable ASCII, no longer than a short frame has room for. */
const COMMAND = /^[ -~]{1,200}$/;

/** The side of those who look after the devices. */
@Controller('devices')
@UseGuards(ApiKeyGuard)
export class DevicesController {
  constructor(
    private readonly registry: DeviceRegistry,
    private readonly config: ConfigService<Settings, true>,
  ) {}

  @Get()
  list(): Device[] {
    return this.registry.all;
  }

  @Get(':imei')
  find(@Param('imei') imei: string): Device {
    const device = this.registry.find(imei);
    if (device === undefined) throw new NotFoundException(`${imei} is not here`);
    return device;
  }

  /** Sends a device a command, and returns what it acknowledges it with. */
  @Post(':imei/commands')
  @HttpCode(200)
  async command(@Param('imei') imei: string, @Body('command') command: unknown): Promise<{ reply: string }> {
    if (typeof command !== 'string' || !COMMAND.test(command)) {
      throw new BadRequestException('command must be 1 to 200 characters of ASCII');
    }
    const timeout = this.config.get('COMMAND_TIMEOUT', { infer: true });
    try {
      return { reply: await this.find(imei).connection.request<string>(command, { timeout }) };
    } catch (error) {
      if (error instanceof GevTimeoutError)
        throw new GatewayTimeoutException(`${imei} did not acknowledge it`);
      if (error instanceof GevConnectionLostError) throw new BadGatewayException(`${imei} has left`);
      throw error;
    }
  }
}
