import { Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { GevServer } from '../server/gev.server.js';
import { titleOf } from '../server/server-names.js';

/** How long after the start of the application its server may take to listen before that looks like a mistake, in ms. */
const PATIENCE = 10_000;

/** Warns once where the module's server was made and nobody ever listens with it. */
export class GevListenWatch implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly server: GevServer) {}

  onApplicationBootstrap(): void {
    this.timer ??= setTimeout(() => this.look(), PATIENCE).unref();
  }

  beforeApplicationShutdown(): void {
    clearTimeout(this.timer);
  }

  private look(): void {
    if (this.server.wasStarted) return;
    const { name } = this.server;
    const token = name === undefined ? GevServer.name : `getGevServerToken('${name}')`;
    new Logger(GevServer.name).warn(
      `The ${titleOf(name)} of GevModule does not listen, so nothing reaches its handlers and its timers do not run. Give ` +
        `it to Nest as strategy: app.connectMicroservice({ strategy: app.get(${token}) }) and app.startAllMicroservices(), ` +
        `or { strategy: server } from a factory with inject: [${token}] in createMicroservice()`,
    );
  }
}
