import { Controller, Logger } from '@nestjs/common';
import { Conn, GevConnection, GevServer, OnClose, OnConnect, RunEvery } from 'nestjs-gev';

@Controller()
export class PushController {
  private readonly logger = new Logger('timed-push');

  constructor(private readonly server: GevServer) {}

  @OnConnect()
  join(@Conn() conn: GevConnection): void {
    this.logger.log(`${conn.id} joined`);
  }

  @OnClose()
  leave(@Conn() conn: GevConnection): void {
    this.logger.log(`${conn.id} left`);
  }

  @RunEvery(1000)
  push(): void {
    this.server.broadcast('hello\n');
  }
}
