import { Controller, Logger, UseFilters, UseGuards } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import {
  type CloseReason,
  Conn,
  GevServer,
  InjectGevServer,
  OnClose,
  OnConnect,
  OnMessage,
  Reason,
} from 'nestjs-gev';
import type { Gt06Frame } from '../gt06/gt06-frame.js';
import type { Position, Status } from '../gt06/gt06-messages.js';
import type { Settings } from '../settings.js';
import { Device, type DeviceConnection } from './device.js';
import { HangUpFilter } from './hang-up.filter.js';
import { LoggedInGuard } from './logged-in.guard.js';

/** The side of the devices. What they say is told in the README. */
@Controller()
@UseFilters(HangUpFilter)
export class DeviceGateway {
  private readonly logger = new Logger('devices');

  constructor(
    @InjectGevServer('devices') private readonly server: GevServer,
    private readonly config: ConfigService<Settings, true>,
  ) {}

  @OnConnect({ server: 'devices' })
  connect(@Conn() connection: DeviceConnection): void {
    // Not the idle timeout: whoever sends a frame now and then is not idle.
    const limit = this.config.get('LOGIN_TIMEOUT', { infer: true });
    connection.data.deadline = this.server.runAfter(limit, () => connection.close());
  }

  @MessagePattern('login', { server: 'devices' })
  login(@Payload() imei: string, @Conn() connection: DeviceConnection): void {
    const known = this.config.get('IMEIS', { infer: true });
    if (known !== 'any' && !known.has(imei)) throw new RpcException(`nobody knows ${imei}`);
    const { data } = connection;
    if (data.device !== undefined) return; // it says so again
    data.deadline?.cancel();
    connection.identify(imei, { replace: true }); // its former connection may be dead without a word
    data.device = new Device(imei, connection);
    this.logger.log(`${imei} is here`);
  }

  @UseGuards(LoggedInGuard)
  @MessagePattern('heartbeat', { server: 'devices' })
  heartbeat(@Payload() status: Status, @Conn() connection: DeviceConnection): void {
    connection.data.device!.status = status;
  }

  @UseGuards(LoggedInGuard)
  @EventPattern<string>('position', { server: 'devices' })
  position(@Payload() position: Position, @Conn() connection: DeviceConnection): void {
    const device = connection.data.device!;
    device.position = position;
    device.positions++;
  }

  @OnMessage({ server: 'devices' })
  other(@Payload() { protocol }: Gt06Frame, @Conn() connection: DeviceConnection): void {
    this.logger.debug(`${connection.data.device?.imei}: nothing is done about 0x${protocol.toString(16)}`);
  }

  @OnClose({ server: 'devices' })
  close(@Conn() connection: DeviceConnection, @Reason() reason: CloseReason): void {
    const { device, deadline } = connection.data;
    deadline?.cancel();
    if (device !== undefined) this.logger.log(`${device.imei} has left (${reason})`);
  }
}
