import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { onCleanup } from './cleanup.js';

/**
 * Stands between a client and a server, passes on what they say, and misbehaves when it is told to. It is gone with the
 * test.
 */
export class Relay {
  /** What clients have said. */
  requests = '';
  /** Connections taken so far. */
  accepted = 0;
  private server: Server | undefined;
  private listening = 0;
  private readonly clients = new Set<Socket>();

  private constructor(private readonly target: number) {
    onCleanup(() => this.stop());
  }

  /** @param target the server's port on 127.0.0.1 */
  static async to(target: number): Promise<Relay> {
    const relay = new Relay(target);
    await relay.start();
    return relay;
  }

  get port(): number {
    return this.listening;
  }

  /** Takes connections, on the port it had before. */
  async start(): Promise<void> {
    const server = createServer((client) => this.join(client));
    server.listen(this.listening, '127.0.0.1');
    await once(server, 'listening');
    this.server = server;
    this.listening = (server.address() as AddressInfo).port;
  }

  /** Resets its connections and takes no more: the server is down. */
  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (server === undefined) return;
    const closed = once(server, 'close');
    server.close();
    this.cut();
    await closed;
  }

  /** Resets its connections. */
  cut(): void {
    // Not by resetAndDestroy(), which says FIN first: who is quick sees that one alone.
    for (const client of this.clients) Object.assign(client, { resetAndClosing: true }).destroy();
  }

  /** Says FIN to the clients. */
  end(): void {
    for (const client of this.clients) client.end();
  }

  /** Reads nothing more from the clients it has: the network is gone, as far as they can tell. */
  stall(): void {
    for (const client of this.clients) client.unpipe().pause();
  }

  private join(client: Socket): void {
    this.accepted++;
    this.clients.add(client);
    const server = connect(this.target, '127.0.0.1');
    client.on('data', (data) => (this.requests += data.toString()));
    client.pipe(server).pipe(client);
    client.on('close', () => {
      this.clients.delete(client);
      server.destroy();
    });
    server.on('close', () => client.destroy());
    for (const socket of [client, server]) socket.on('error', () => undefined);
  }
}
