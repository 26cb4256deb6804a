import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { GevModule } from 'nestjs-gev';
import { DevicesModule } from './devices/devices.module.js';
import { gt06 } from './gt06/gt06.codec.js';
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
        codec: gt06(),
        idleTimeout: 10 * 60_000, // a device sends a heartbeat every few minutes
        incompleteFrameTimeout: 10_000,
        maxFrameLength: 4096, // a device sends far less
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
