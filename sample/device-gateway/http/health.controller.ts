import { Controller, Get } from '@nestjs/common';
import {
  HealthCheck,
  HealthCheckService,
  HealthIndicatorService,
  type HealthCheckResult,
  type HealthIndicatorResult,
} from '@nestjs/terminus';
import { GevServer, InjectGevServer } from 'nestjs-gev';
import { DeviceRegistry } from '../devices/device.registry.js';

/** For a balancer or an orchestrator: whether devices can come. */
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    @InjectGevServer('devices') private readonly server: GevServer,
    private readonly registry: DeviceRegistry,
  ) {}

  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.devices()]);
  }

  private devices(): HealthIndicatorResult {
    const indicator = this.indicators.check('devices');
    if (this.server.address() === null) return indicator.down('the device port is not open');
    return indicator.up({ connections: this.server.connections.size, known: this.registry.all.length });
  }
}
