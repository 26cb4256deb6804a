import { Controller } from '@nestjs/common';
import { Conn, GevConnection, OnClose, OnConnect, OnMessage } from 'nestjs-gev';

export const GUEST_LIMIT = Number(process.env.LIMIT ?? 3);

@Controller()
export class GuestsController {
  private readonly guests = new Set<GevConnection>();

  @OnConnect()
  connect(@Conn() conn: GevConnection): string | undefined {
    if (this.guests.size >= GUEST_LIMIT) {
      // What was sent before close() still arrives.
      conn.send(`Sorry, all ${GUEST_LIMIT} places are taken. Please try again later.\n`);
      conn.close();
      return undefined;
    }
    this.guests.add(conn);
    return `Welcome, guest ${this.guests.size} of ${GUEST_LIMIT}.\n`;
  }

  @OnMessage()
  message(data: Buffer): Buffer {
    return data;
  }

  @OnClose()
  close(@Conn() conn: GevConnection): void {
    this.guests.delete(conn);
  }
}
