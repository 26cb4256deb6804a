import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { GevContext } from 'nestjs-gev';
import { lastValueFrom } from 'rxjs';
import { nestClient, RpcPeer, serveRpc } from '../kit/rpc.js';
import { clientOf } from '../kit/rpc-client.js';
import { until } from '../kit/until.js';

const UNHANDLED = 'There is no matching message handler defined in the remote service.';

let events: string[] = [];

/** Which handler has run, and with what pattern. */
const seen = (handler: string, context: GevContext): string => `${handler} ${context.getPattern()}`;

@Controller()
class Orders {
  @MessagePattern('orders.created')
  exact(@Ctx() context: GevContext): string {
    return seen('exact', context);
  }

  @MessagePattern('orders.*')
  one(@Ctx() context: GevContext): string {
    return seen('one', context);
  }

  @MessagePattern('orders.*.lines')
  lines(@Ctx() context: GevContext): string {
    return seen('lines', context);
  }

  @MessagePattern('orders.>')
  rest(@Ctx() context: GevContext): string {
    return seen('rest', context);
  }

  @MessagePattern('sizes.*')
  size(): bigint {
    return 1n; // which JSON does not know
  }

  @MessagePattern('a.>.b')
  misplaced(@Ctx() context: GevContext): string {
    return seen('misplaced', context);
  }

  @MessagePattern({ cmd: 'carts.*.items' })
  object(@Ctx() context: GevContext): string {
    return seen('object', context);
  }

  @EventPattern<string>('log.*')
  logged(@Payload() data: string, @Ctx() context: GevContext): void {
    events.push(`${seen('logged', context)} ${data}`);
  }

  @EventPattern<string>('>')
  anything(@Ctx() context: GevContext): void {
    events.push(seen('anything', context));
  }
}

describe.each([0, 2])('patterns with wildcards, on %i loops', (loops) => {
  const serveOrders = async () => {
    events = [];
    const service = await serveRpc({ loops }, Orders);
    const peer = await RpcPeer.connect(service.port);
    const ask = async (...patterns: unknown[]): Promise<unknown[]> => {
      const before = peer.packets.length;
      peer.send(...patterns.map((pattern, index) => ({ pattern, data: 1, id: `${before + index}` })));
      await until(() => peer.packets.length === before + patterns.length);
      const answers = new Map(peer.packets.map((packet) => [packet.id, packet]));
      return patterns.map((_, index) => {
        const { response, err } = answers.get(`${before + index}`)!;
        return (response ?? err) as unknown;
      });
    };
    return { ...service, peer, ask };
  };

  it('P1: * is one segment, > the rest; exact patterns come first, then the most specific', async () => {
    const { ask } = await serveOrders();
    expect(await ask('orders.created', 'orders.paid', 'orders.7.lines', 'orders.7.items', 'orders')).toEqual([
      'exact orders.created',
      'one orders.paid',
      'lines orders.7.lines',
      'rest orders.7.items',
      UNHANDLED,
    ]);
  });

  it('P1: a pattern with a wildcard is still reached by its own name', async () => {
    const { ask } = await serveOrders();
    expect(await ask('orders.*', 'orders.>', 'a.>.b')).toEqual([
      'one orders.*',
      'rest orders.>',
      'misplaced a.>.b',
    ]);
  });

  it('P1: a second request with a pattern finds its handler as the first did', async () => {
    const { ask } = await serveOrders();
    const patterns = ['orders.paid', 'orders.7.lines', 'orders.7.items', 'orders.paid', 'nothing.here'];
    expect(await ask(...patterns)).toEqual(await ask(...patterns));
  });

  it('P1: objects, a > that is not last, and what the protocol has taken are matched to the letter', async () => {
    const { ask, lines } = await serveOrders();
    expect(
      await ask(
        { cmd: 'carts.7.items' },
        { cmd: 'carts.*.items' },
        '{"cmd":"carts.7.items"}',
        'a.x.b',
        'gev:anything',
      ),
    ).toEqual([UNHANDLED, 'object {"cmd":"carts.*.items"}', UNHANDLED, UNHANDLED, UNHANDLED]);
    expect(lines.filter((line) => line.includes('a.>.b'))).toEqual([
      expect.stringMatching(/"a\.>\.b".*to the letter.*last segment/),
    ]);
  });

  it('P1: events find wildcards of @EventPattern, requests those of @MessagePattern', async () => {
    const { ask, peer, lines } = await serveOrders();
    peer.send(
      { pattern: 'log.info', data: 'a' },
      { pattern: 'orders.paid', data: 'b' },
      { data: 'no pattern' },
      { pattern: { cmd: 'c.d' }, data: 'c' },
    );
    expect(await ask('log.info', 'unknown')).toEqual([UNHANDLED, UNHANDLED]);
    await until(() => events.length === 2);
    expect(events).toEqual(['logged log.info a', 'anything orders.paid']);
    // One line for each kind in a second.
    expect(lines.filter((line) => line.includes('no handler for the event'))).toHaveLength(1);
  });

  it('P1: what fails is logged under the pattern that its handler is registered with', async () => {
    const { ask, lines } = await serveOrders();
    expect(await ask('sizes.1', 'sizes.2', 'sizes.3')).toHaveLength(3);
    expect(lines.filter((line) => line.includes('could not be sent'))).toEqual([
      expect.stringContaining('A reply of the handler of "sizes.*" to'),
    ]);
  });

  it('P1: more patterns than the loop has numbers for are answered, and what is registered stays quick', async () => {
    const { ask } = await serveOrders();
    const invented = Array.from({ length: 3_000 }, (_, index) => `orders.${index}`);
    expect(await ask(...invented)).toEqual(invented.map((pattern) => `one ${pattern}`));
    expect(await ask('orders.created')).toEqual(['exact orders.created']);
  });

  it("P1: Nest's own client and GevClient reach both kinds", async () => {
    const { port } = await serveOrders();
    for (const client of [nestClient(port), clientOf({ port })]) {
      events = [];
      expect(await lastValueFrom(client.send('orders.paid', 1))).toBe('one orders.paid');
      expect(await lastValueFrom(client.send('orders.created', 1))).toBe('exact orders.created');
      await expect(lastValueFrom(client.send({ cmd: 'orders.paid' }, 1))).rejects.toBeDefined();
      await lastValueFrom(client.emit('log.warn', 'x'), { defaultValue: undefined });
      await until(() => events.length === 1);
      expect(events).toEqual(['logged log.warn x']);
    }
  });
});
