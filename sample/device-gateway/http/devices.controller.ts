import {
  BadRequestException,
  Body,
  Controller,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  Post,
  UseGuards,
} from '@nestjs/common';
import type { Device } from '../devices/device.js';
import { DeviceRegistry } from '../devices/device.registry.js';
import { ApiKeyGuard } from './api-key.guard.js';

const LONGEST_COMMAND = 1_000;

/** The side of those who look after the devices. */
@Controller('devices')
@UseGuards(ApiKeyGuard)
export class DevicesController {
  constructor(private readonly registry: DeviceRegistry) {}

  @Get()
  list(): Device[] {
    return this.registry.all;
  }

  @Get(':name')
  find(@Param('name') name: string): Device {
    const device = this.registry.find(name);
    if (device === undefined) throw new NotFoundException(`${name} is not here`);
    return device;
  }

  /** To one device. It is on its way when this returns; whether the device does it is for the device to say. */
  @Post(':name/commands')
  @HttpCode(202)
  command(@Param('name') name: string, @Body('command') command: unknown): { sent: number } {
    if (!this.registry.push(name, lineOf(command))) throw new NotFoundException(`${name} is not here`);
    return { sent: 1 };
  }

  /** To all devices that are here. */
  @Post('commands')
  @HttpCode(202)
  broadcast(@Body('command') command: unknown): { sent: number } {
    return { sent: this.registry.pushToAll(lineOf(command)) };
  }
}

function lineOf(command: unknown): string {
  if (typeof command !== 'string' || !/^[^\r\n]+$/.test(command) || command.length > LONGEST_COMMAND) {
    throw new BadRequestException(`command must be one line of 1 to ${LONGEST_COMMAND} characters`);
  }
  return `CMD ${command}`;
}
