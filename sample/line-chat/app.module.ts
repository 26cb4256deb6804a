import { Module } from '@nestjs/common';
import { GevModule, line } from 'nestjs-gev';
import { host, loops, port } from '../env.js';
import { ChatController } from './chat.controller.js';

const codec = line({ maxLength: 1024 });

@Module({ imports: [GevModule.forRoot({ host, port, loops, codec })], controllers: [ChatController] })
export class AppModule {}
