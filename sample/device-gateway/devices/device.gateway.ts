import { type BeforeApplicationShutdown, Controller, Logger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Payload } from '@nestjs/microservices';
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
import type { Settings } from '../settings.js';
import { DeviceTokens } from './device-tokens.js';
import { DeviceRegistry } from './device.registry.js';
import { Device, type DeviceConnection } from './device.js';
import { LineTooLongError } from './line-reader.js';

const NAME = /^[\w.-]{1,64}$/;

/** The side of the devices. What they say is told in the README. */
@Controller()
export class DeviceGateway implements BeforeApplicationShutdown {
  private readonly logger = new Logger(DeviceGateway.name);

  constructor(
    @InjectGevServer('devices') private readonly server: GevServer,
    private readonly registry: DeviceRegistry,
    private readonly tokens: DeviceTokens,
    private readonly config: ConfigService<Settings, true>,
  ) {}

  @OnConnect({ server: 'devices' })
  connect(@Conn() connection: DeviceConnection): void {
    const device = new Device(connection);
    connection.data.device = device;
    // Not the idle timeout: whoever sends a byte now and then is not idle.
    const limit = this.config.get('AUTH_TIMEOUT', { infer: true });
    device.deadline = this.server.runAfter(limit, () => this.refuse(device, 'say who you are'));
  }

  @OnMessage({ server: 'devices' })
  message(@Payload() chunk: Buffer, @Conn() connection: DeviceConnection): void {
    const device = connection.data.device!;
    try {
      for (const line of device.lines.read(chunk)) {
        if (connection.state !== 'open') return;
        if (device.name === undefined) this.authenticate(device, line);
        else this.take(device, line);
      }
    } catch (error) {
      if (!(error instanceof LineTooLongError)) throw error;
      this.refuse(device, 'the line is too long');
    }
  }

  @OnClose({ server: 'devices' })
  close(@Conn() connection: DeviceConnection, @Reason() reason: CloseReason): void {
    const { device } = connection.data;
    if (device === undefined) return;
    device.deadline?.cancel();
    this.registry.remove(device);
    if (device.name !== undefined) this.logger.log(`${device.name} has left (${reason})`);
  }

  /** Devices hear why before the server says FIN, and can come back at their leisure. */
  beforeApplicationShutdown(): void {
    this.registry.pushToAll('BYE');
  }

  private authenticate(device: Device, line: string): void {
    const [word, name = '', token = ''] = line.split(' ');
    if (word !== 'AUTH' || !NAME.test(name) || !this.tokens.accepts(name, token)) {
      this.refuse(device, 'that is not how we know you');
      return;
    }
    device.deadline?.cancel();
    device.name = name;
    const before = this.registry.add(name, device);
    if (before !== undefined) this.refuse(before, 'you are here twice');
    device.connection.send('OK\n');
    this.logger.log(`${name} is here`);
  }

  private take(device: Device, line: string): void {
    if (line === '') return; // a sign of life
    try {
      device.lastReading = JSON.parse(line);
      device.readings++;
    } catch {
      device.connection.send('ERR that is no JSON\n');
    }
  }

  private refuse({ connection }: Device, why: string): void {
    connection.trySend(`ERR ${why}\n`);
    connection.close();
  }
}
