import { Controller, Get } from '@nestjs/common';
import { GevServer, OnMessage } from 'nestjs-gev';

/** One controller for both: HTTP and the reactor's connections. */
@Controller('connections')
export class ConnectionsController {
  constructor(private readonly server: GevServer) {}

  @OnMessage()
  echo(data: Buffer): Buffer {
    return data;
  }

  @Get()
  list(): object[] {
    return Array.from(this.server, (conn) => ({
      id: conn.id,
      remoteAddress: conn.remoteAddress,
      remotePort: conn.remotePort,
      loop: conn.loop,
      state: conn.state,
      openedAt: new Date(conn.openedAt).toISOString(),
      bytesReceived: conn.bytesReceived,
      bytesSent: conn.bytesSent,
    }));
  }
}
