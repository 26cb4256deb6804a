import { Module } from '@nestjs/common';
import { GevModule, raw } from 'nestjs-gev';
import { host, loops, port } from '../env.js';
import { PushController } from './push.controller.js';

@Module({ imports: [GevModule.forRoot({ host, port, loops, codec: raw() })], controllers: [PushController] })
export class AppModule {}
