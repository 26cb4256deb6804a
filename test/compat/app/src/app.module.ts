import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { ClientsModule } from '@nestjs/microservices';
import { gevClient, GevModule } from 'nestjs-gev';
import { AppController } from './app.controller';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }),
    GevModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({
        host: '127.0.0.1',
        port: config.getOrThrow<string>('PORT'),
        loops: 1,
      }),
    }),
    ClientsModule.registerAsync([
      {
        name: 'SELF',
        inject: [ConfigService],
        useFactory: (config: ConfigService) =>
          gevClient({ host: '127.0.0.1', port: config.getOrThrow<string>('PORT'), loops: 0 }),
      },
    ]),
  ],
  controllers: [AppController],
})
export class AppModule {}
