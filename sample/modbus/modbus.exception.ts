import { RpcException } from '@nestjs/microservices';

/** Exception codes of the Modbus application protocol, with what they mean. */
export const EXCEPTIONS = {
  illegalFunction: 1,
  illegalDataAddress: 2,
  illegalDataValue: 3,
  serverDeviceFailure: 4,
} as const;

/** What a client is refused with. Nest's filters leave of it what it was made of: `{ exception }`. */
export class ModbusException extends RpcException {
  constructor(reason: keyof typeof EXCEPTIONS) {
    super({ exception: EXCEPTIONS[reason] });
  }
}
