import { Module } from '@nestjs/common';
import { GevModule } from 'nestjs-gev';
import { host, loops, port } from '../env.js';
import { ConnectionsController } from './connections.controller.js';

@Module({ imports: [GevModule.forRoot({ host, port, loops })], controllers: [ConnectionsController] })
export class AppModule {}
