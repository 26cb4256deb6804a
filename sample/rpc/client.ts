// Follows a price for a moment, gives up on an appraisal, asks for a price and raises it. The service's log shows what stops.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule } from '@nestjs/microservices';
import { GevClient, GevRecordBuilder, type GevError } from 'nestjs-gev';
import { firstValueFrom, lastValueFrom, take, tap } from 'rxjs';
import { host, loops, port } from '../env.js';
import { explain } from '../explain.js';

@Module({
  imports: [
    ClientsModule.register([
      { name: 'QUOTES', customClass: GevClient, options: { host, port, loops, requestTimeout: 2_000 } },
    ]),
  ],
})
class ClientModule {}

const app = await NestFactory.createApplicationContext(ClientModule, { logger: ['warn', 'error'] });
const quotes = app.get<GevClient>('QUOTES');
const of = process.argv[2] ?? 'gold';

// The first request would connect, too. Here it is to be told apart whether anybody is there.
await quotes.connect().catch(explain);

// A stream without end: with the third value take() unsubscribes, and the service stops.
const prices = quotes.send<number>('follow', { of }).pipe(take(3));
await lastValueFrom(prices.pipe(tap((price) => console.log(`${of}: ${price}`))));

// A request that is given up, and has a time limit of its own.
const patience = new GevRecordBuilder({ of }).setSignal(AbortSignal.timeout(300)).setTimeout(10_000).build();
await firstValueFrom(quotes.send({ cmd: 'appraise' }, patience)).catch((error: GevError) =>
  console.log(`no appraisal: ${error.code}`),
);

// A request; and an event, which is sent whether or not anybody subscribes.
const ask = (): Promise<number> => firstValueFrom(quotes.send<number>({ cmd: 'price' }, { of }));
const price = await ask();
console.log(`${of} costs ${price}`);
quotes.emit('sold', { of, price: price + 100 });
console.log(`${of} costs ${await ask()} now`);

await app.close();
