import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, type TcpContext } from '@nestjs/microservices';
import { GevCallEndedError, GevContext } from 'nestjs-gev';
import { firstValueFrom } from 'rxjs';
import { clientOf, Subscriber } from '../kit/rpc-client.js';
import { RpcPeer, serveRpc } from '../kit/rpc.js';
import { until } from '../kit/until.js';

let reasons: unknown[] = [];
let begun = 0;
let closed: boolean[] = [];

@Controller()
class Service {
  @MessagePattern('never')
  never(@Payload() data: unknown, @Ctx() context: GevContext): Promise<never> {
    const { signal } = context;
    begun++;
    signal.addEventListener('abort', () => reasons.push(signal.reason));
    return new Promise(() => undefined);
  }

  /** As a handler written for Nest's own transport. */
  @MessagePattern('who')
  who(@Ctx() context: TcpContext): unknown {
    const socket = context.getSocketRef();
    const { remoteAddress, remotePort } = socket.netSocket;
    return { remoteAddress, remotePort, destroyed: socket.netSocket.destroyed };
  }

  @EventPattern('tell')
  tell(@Payload() data: any, @Ctx() context: any): any {
    const socket = (context as GevContext).getSocketRef();
    socket.once('close', (hadError) => closed.push(hadError));
    socket.sendMessage({ id: data as string, response: 'told', isDisposed: true });
    socket.end();
  }
}

describe.each([0, 2])('a call whose caller has gone, on %i loops', (loops) => {
  it('C9: the reason of its signal tells whether it was cancelled, its connection lost, or the server is stopped', async () => {
    [reasons, begun] = [[], 0];
    const { port, close } = await serveRpc({ loops, drainTimeout: 50 }, Service);
    const cancelled = new Subscriber(clientOf({ port, loops: 0 }).send('never', 1));
    await until(() => begun === 1);
    cancelled.leave();
    await until(() => reasons.length === 1);
    const peer = await RpcPeer.connect(port);
    peer.send({ pattern: 'never', data: 1, id: '1' });
    await until(() => begun === 2);
    peer.peer.reset();
    await until(() => reasons.length === 2);
    new Subscriber(clientOf({ port, loops: 0 }).send('never', 1));
    await until(() => begun === 3);
    await close();
    expect(reasons).toEqual([
      expect.objectContaining({ code: 'ERR_GEV_CALL_CANCELLED', end: 'cancelled' }),
      expect.objectContaining({
        ...{ code: 'ERR_GEV_CALL_LOST', end: 'lost' },
        cause: expect.objectContaining({ code: 'ECONNRESET' }),
      }),
      expect.objectContaining({ code: 'ERR_GEV_CALL_SHUTDOWN', end: 'shutdown' }),
    ]);
    expect(reasons.every((reason) => reason instanceof GevCallEndedError)).toBe(true);
  });

  it('N4: getSocketRef() offers what handlers of Nest’s own transport reach for', async () => {
    closed = [];
    const { port } = await serveRpc({ loops }, Service);
    const peer = await RpcPeer.connect(port);
    peer.send({ pattern: 'who', data: 1, id: '1' });
    expect(await peer.all('1')).toMatchObject([
      { response: { remoteAddress: '127.0.0.1', remotePort: peer.peer.port, destroyed: false } },
    ]);
    peer.send({ pattern: 'tell', data: '2' });
    expect(await peer.all('2')).toEqual([{ id: '2', response: 'told', isDisposed: true }]);
    await until(() => peer.peer.closed && closed.length === 1);
    expect(closed).toEqual([false]);
    expect(await firstValueFrom(clientOf({ port, loops: 0 }).send('who', 1))).toMatchObject({
      remoteAddress: '127.0.0.1',
    });
  });
});
