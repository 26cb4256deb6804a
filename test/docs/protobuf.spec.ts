import { afterAll, describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import type { GevCodec } from 'nestjs-gev';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { root } from '../kit/child.js';
import { Peer } from '../kit/peer.js';
import { serve } from '../kit/serve.js';
import { until } from '../kit/until.js';

/** The block of docs/codecs.md, as a module beside this one. */
const file = join(root, 'test', 'docs', 'protobuf-recipe.ts');
const section = readFileSync(join(root, 'docs', 'codecs.md'), 'utf8').split('\n### Protobuf\n', 2)[1]!;
const block = /```ts\n(.*?)```/s.exec(section)![1]!;
afterAll(() => rmSync(file, { force: true }));

interface Recipe {
  proto: GevCodec;
  CalculatorController: Type;
}

describe('the Protobuf recipe of docs/codecs.md', () => {
  it('P1: answers requests by their ids, tells errors, and hangs up on what is no Protobuf', async () => {
    writeFileSync(file, block);
    const { proto, CalculatorController } = (await import(file)) as Recipe;
    const service = await serve({ codec: proto }, { controllers: [CalculatorController] });
    const schema = protobuf.parse(/protobuf\.parse\(`(.*?)`\)/s.exec(block)![1]!).root;
    const [Request, Reply] = [schema.lookupType('Request'), schema.lookupType('Reply')];
    const peer = (await Peer.connect(service.port)).read();
    const ask = (request: object): void =>
      peer.write(Request.encodeDelimited(Request.fromObject(request)).finish());
    const next = async () => {
      const length = (await peer.take(1))[0]!;
      return Reply.toObject(Reply.decode(await peer.take(length)), { oneofs: true, defaults: true });
    };
    ask({ id: 7, sum: { values: [1, -2, 30] } });
    expect(await next()).toMatchObject({ id: 7, last: true, result: 'sum', sum: { value: 29 } });
    ask({ id: 8, sum: {} });
    expect(await next()).toMatchObject({ id: 8, failure: { message: 'nothing to add up' } });
    ask({ id: 9, greet: { name: 'Ada' } });
    expect(await next()).toMatchObject({
      id: 9,
      failure: { message: expect.stringContaining('no matching') },
    });
    ask({ id: 10 });
    expect((await next()).id).toBe(10);
    peer.write(Buffer.from([2, 0xff, 0xff]));
    await until(() => peer.ended);
    expect((await service.connection(0)).closeReason ?? 'protocol').toBe('protocol');
  });
});
