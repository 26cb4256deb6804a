import { Module } from '@nestjs/common';
import { GevModule } from 'nestjs-gev';
import { host, loops, port } from '../env.js';
import { PushController } from './push.controller.js';

@Module({ imports: [GevModule.forRoot({ host, port, loops })], controllers: [PushController] })
export class AppModule {}
