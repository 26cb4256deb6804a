import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { ModbusException } from './modbus.exception.js';
import {
  type ReadRequest,
  readRequest,
  RequestPipe,
  writeMultipleRequest,
  type WriteRequest,
  writeSingleRequest,
} from './request.pipe.js';

const REGISTERS = 100;

/** The holding registers of one device, at the addresses 0 to 99. */
@Controller()
export class RegistersController {
  private readonly registers = new Uint16Array(REGISTERS);

  @MessagePattern('read-holding-registers')
  read(@Payload(new RequestPipe(readRequest)) { address, quantity }: ReadRequest): Buffer {
    const values = this.range(address, quantity);
    return Buffer.concat([Buffer.from([2 * quantity]), words(...values)]);
  }

  @MessagePattern('write-single-register')
  writeSingle(@Payload(new RequestPipe(writeSingleRequest)) { address, values }: WriteRequest): Buffer {
    this.range(address, 1).set(values);
    return words(address, ...values);
  }

  @MessagePattern('write-multiple-registers')
  writeMultiple(@Payload(new RequestPipe(writeMultipleRequest)) { address, values }: WriteRequest): Buffer {
    this.range(address, values.length).set(values);
    return words(address, values.length);
  }

  /** A view of some registers. */
  private range(address: number, quantity: number): Uint16Array {
    if (address + quantity > REGISTERS) throw new ModbusException('illegalDataAddress');
    return this.registers.subarray(address, address + quantity);
  }
}

/** Numbers of 16 bits, in network order. */
function words(...values: number[]): Buffer {
  return Buffer.from(values.flatMap((value) => [value >> 8, value & 0xff]));
}
