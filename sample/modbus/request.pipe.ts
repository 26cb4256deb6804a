import type { PipeTransform } from '@nestjs/common';
import { ByteReader } from 'nestjs-gev';
import { ModbusException } from './modbus.exception.js';

/** What the protocol has room for in one request. */
const MAX_READ = 125;
const MAX_WRITTEN = 123;

export interface ReadRequest {
  readonly address: number;
  readonly quantity: number;
}

export interface WriteRequest {
  readonly address: number;
  readonly values: readonly number[];
}

/** Reads the fields of a request, all of its bytes; what they do not make sense as is an illegal value. */
export class RequestPipe<Request> implements PipeTransform<Buffer, Request> {
  constructor(private readonly parse: (fields: ByteReader) => Request | undefined) {}

  transform(bytes: Buffer): Request {
    const fields = new ByteReader(bytes);
    const request = this.parsed(fields);
    if (request === undefined || fields.remaining > 0) throw new ModbusException('illegalDataValue');
    return request;
  }

  private parsed(fields: ByteReader): Request | undefined {
    try {
      return this.parse(fields);
    } catch {
      return undefined; // it ends within a field
    }
  }
}

export function readRequest(fields: ByteReader): ReadRequest | undefined {
  const request = { address: fields.uint(2), quantity: fields.uint(2) };
  return request.quantity >= 1 && request.quantity <= MAX_READ ? request : undefined;
}

export function writeSingleRequest(fields: ByteReader): WriteRequest {
  return { address: fields.uint(2), values: [fields.uint(2)] };
}

export function writeMultipleRequest(fields: ByteReader): WriteRequest | undefined {
  const address = fields.uint(2);
  const quantity = fields.uint(2);
  if (quantity < 1 || quantity > MAX_WRITTEN || fields.uint(1) !== 2 * quantity) return undefined;
  return { address, values: Array.from({ length: quantity }, () => fields.uint(2)) };
}
