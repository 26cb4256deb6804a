// Gives back what it gets: objects, or bytes that it has made Buffers of. CODEC, PAYLOAD and LOOPS in the environment.
import 'reflect-metadata';
import process from 'node:process';
import { Controller } from '@nestjs/common';
import { nestJson } from 'nestjs-gev';
import { bytesBy } from '../clients/payloads.mjs';
import { serve } from './serve.mjs';

const { CODEC: name, PAYLOAD: payload } = process.env;
const { wrap, unwrap } = bytesBy(name);

class EchoController {
  echo(data) {
    return payload === 'binary' ? wrap(unwrap(data)) : data;
  }
}
Controller()(EchoController);

const codec = name === 'msgpack' ? (await import('nestjs-gev/msgpack')).msgpack() : nestJson();
await serve(EchoController, ['echo'], { codec });
