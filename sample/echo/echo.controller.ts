import { Controller, Logger } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Conn, GevConnection, OnClose, OnConnect, OnMessage, Reason, type CloseReason } from 'nestjs-gev';

@Controller()
export class EchoController {
  private readonly logger = new Logger('echo');

  @OnConnect()
  connect(@Conn() conn: GevConnection): void {
    this.logger.debug(`${conn.id} connected from ${conn.remoteAddress}`);
  }

  @OnMessage()
  message(@Payload() data: Buffer): Buffer {
    return data;
  }

  @OnClose()
  close(@Conn() conn: GevConnection, @Reason() reason: CloseReason): void {
    this.logger.debug(`${conn.id} closed (${reason}) after ${conn.bytesReceived} bytes`);
  }
}
