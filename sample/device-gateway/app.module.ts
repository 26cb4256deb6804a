import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { GevModule, raw } from 'nestjs-gev';
import { DevicesModule } from './devices/devices.module.js';
import { HttpModule } from './http/http.module.js';
import { type Settings, validate } from './settings.js';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, cache: true, validate }),
    // With a name, another port may join it one day without running these handlers.
    GevModule.forRootAsync({
      name: 'devices',
      inject: [ConfigService],
      useFactory: (config: ConfigService<Settings, true>) => ({
        host: config.get('HOST', { infer: true }),
        port: config.get('PORT', { infer: true }),
        loops: config.get('LOOPS', { infer: true }),
        codec: raw(),
        idleTimeout: 60_000, // a device sends a reading, or an empty line, every minute
        keepAlive: 30_000, // finds out about devices that have vanished without a word
        maxConnections: 10_000,
        highWaterMark: 64 * 1024, // of output to one device, which should read what it is sent
        maxSendBuffer: 1024 * 1024,
      }),
    }),
    DevicesModule,
    HttpModule,
  ],
})
export class AppModule {}
