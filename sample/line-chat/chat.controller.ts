import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Conn, GevConnection, GevServer, OnClose, OnConnect, OnMessage } from 'nestjs-gev';

interface Member {
  name: string;
}

const NAME = /^[\p{L}\p{N}_-]{1,20}$/u;

/** Who joins is a guest until a line `NICK <name>`; any other line goes to everybody else. Lines of the house begin with `*`. */
@Controller()
export class ChatController {
  private readonly members = new Set<GevConnection<Member>>();
  private guests = 0;

  constructor(private readonly server: GevServer) {}

  @OnConnect()
  join(@Conn() conn: GevConnection<Member>): string {
    conn.data.name = `guest-${++this.guests}`;
    this.members.add(conn);
    this.tellOthers(conn, `* ${conn.data.name} joined`);
    const names = Array.from(this.members, ({ data }) => data.name).join(', ');
    return `* Welcome, ${conn.data.name}. NICK <name> changes your name. Here: ${names}`;
  }

  /** What it returns is for the sender, as a line. */
  @OnMessage()
  message(@Payload() line: string, @Conn() conn: GevConnection<Member>): string | undefined {
    // Control characters would reach the terminals of the others.
    const text = line.replace(/\p{Cc}/gu, '').trim();
    const [command, ...words] = text.split(/\s+/);
    if (command === 'NICK') return this.rename(conn, words.join(' '));
    if (text !== '') this.tellOthers(conn, `${conn.data.name}: ${text}`);
    return undefined;
  }

  @OnClose()
  leave(@Conn() conn: GevConnection<Member>): void {
    this.members.delete(conn);
    this.tellOthers(conn, `* ${conn.data.name} left`);
  }

  private rename(conn: GevConnection<Member>, name: string): string {
    if (!NAME.test(name)) return '* A name is 1 to 20 letters, digits, - or _';
    for (const { data } of this.members) if (data.name === name) return `* ${name} is taken`;
    this.tellOthers(conn, `* ${conn.data.name} is now ${name}`);
    conn.data.name = name;
    return `* You are ${name}`;
  }

  private tellOthers(conn: GevConnection<Member>, text: string): void {
    this.server.broadcast<Member>(text, (other) => other !== conn);
  }
}
