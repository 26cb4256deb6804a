import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import type { GevContext } from 'nestjs-gev';
import type { DeviceConnection } from './device.js';

/** Only who has logged in is listened to. */
@Injectable()
export class LoggedInGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const connection = context.switchToRpc().getContext<GevContext>().getConnection() as DeviceConnection;
    if (connection.data.device === undefined) throw new RpcException('it has not logged in');
    return true;
  }
}
