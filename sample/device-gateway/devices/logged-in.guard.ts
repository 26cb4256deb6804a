import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import type { GevContext } from 'nestjs-gev';
import type { Gt06Frame } from '../gt06/gt06-frame.js';
import type { Session } from './device.js';

/** Only who has logged in is listened to. */
@Injectable()
export class LoggedInGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const connection = context.switchToRpc().getContext<GevContext<Session, Gt06Frame>>().getConnection();
    if (connection.data.device === undefined) throw new RpcException('it has not logged in');
    return true;
  }
}
