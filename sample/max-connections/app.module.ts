import { Module } from '@nestjs/common';
import { GuestsController } from './guests.controller.js';

@Module({ controllers: [GuestsController] })
export class AppModule {}
