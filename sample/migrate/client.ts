// Places an order, pays for it and follows it until it is delivered; then places one that is refused.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule, Transport, type ClientProxy } from '@nestjs/microservices';
import { GevClient } from 'nestjs-gev';
import { firstValueFrom, lastValueFrom, tap } from 'rxjs';
import { host, port } from '../env.js';
import { explain } from '../explain.js';
import type { Order, OrderState } from './orders.controller.js';

@Module({
  imports: [
    ClientsModule.register([
      // The client's side is one of these lines for the other. The service may be on either transport.
      process.env.TRANSPORT === 'tcp'
        ? { name: 'ORDERS', transport: Transport.TCP, options: { host, port } }
        : { name: 'ORDERS', customClass: GevClient, options: { host, port } },
    ]),
  ],
})
class ClientModule {}

const app = await NestFactory.createApplicationContext(ClientModule, { logger: ['warn', 'error'] });
const orders = app.get<ClientProxy>('ORDERS');
await orders.connect().catch(explain);

const item = process.argv[2] ?? 'a kettle';
const { id } = await firstValueFrom(orders.send<Order>({ cmd: 'place' }, { item }));
console.log(`order ${id}: ${item}`);

orders.emit('paid', { id });
const history = orders.send<OrderState>('track', { id });
await lastValueFrom(history.pipe(tap((state) => console.log(`order ${id}: ${state}`))));

await firstValueFrom(orders.send<Order>({ cmd: 'place' }, {})).catch((error: { message: string }) =>
  console.log(`refused: ${error.message}`),
);
await app.close();
