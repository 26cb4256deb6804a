import { Module } from '@nestjs/common';
import { GevModule, raw } from 'nestjs-gev';
import { host, loops, port } from '../env.js';
import { ConnectionsController } from './connections.controller.js';

@Module({
  imports: [GevModule.forRoot({ host, port, loops, codec: raw() })],
  controllers: [ConnectionsController],
})
export class AppModule {}
