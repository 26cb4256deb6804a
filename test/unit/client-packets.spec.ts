import { describe, expect, it } from '@jest/globals';
import { IncomingResponseDeserializer } from '@nestjs/microservices';
import fc from 'fast-check';
import { JSON_NOTATION } from '../../src/protocol/packet-notation.js';
import { PacketSerializer, ReplyDeserializer } from '../../src/client/calls/serialization.js';

describe('packets written', () => {
  const writer = new PacketSerializer(undefined, JSON_NOTATION);
  const write = (...[pattern, data, id, metadata]: Parameters<PacketSerializer['write']>): string =>
    (writer.write(pattern, data, id, metadata) as readonly string[]).join('');

  it('R5: are what JSON makes of the packet of Nest, member by member', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.jsonValue(),
        fc.option(fc.nat(), { nil: undefined }),
        (pattern, data, number) => {
          const id = number === undefined ? undefined : String(number);
          expect(write(pattern, data, id, undefined)).toBe(JSON.stringify({ pattern, data, id }));
          expect(write(pattern, data, id, { trace: '"1"' })).toBe(
            JSON.stringify({ pattern, data, id, metadata: { trace: '"1"' } }),
          );
        },
      ),
    );
  });

  it('R5: so are those that JSON has no text for, and odd strings', () => {
    for (const odd of [() => 1, Symbol('s'), new Date(0), Buffer.from('ab'), '\ud800', '漢😀"\\\u2028']) {
      expect(write(odd, odd, '7', undefined)).toBe(JSON.stringify({ pattern: odd, data: odd, id: '7' }));
    }
    expect(() => write('big', { big: 1n }, '7', undefined)).toThrow(TypeError);
  });

  it('keep the text of no more patterns than an application has', () => {
    for (let i = 0; i < 1_100; i++) {
      expect(write(`p${i}`, 0, '1', undefined)).toBe(`{"pattern":"p${i}","data":0,"id":"1"}`);
    }
  });

  it('go through a serializer, whose word counts', async () => {
    const packets: unknown[] = [];
    const wrapper = {
      serialize(packet: unknown) {
        packets.push(packet);
        return { wrapped: packet };
      },
    };
    const wrap = new PacketSerializer(wrapper, JSON_NOTATION);
    const text = wrap.write({ cmd: 1 }, [2], '3', { t: 'x' });
    expect(text).toBe('{"wrapped":{"pattern":{"cmd":1},"data":[2],"id":"3","metadata":{"t":"x"}}}');
    wrap.write('event', 1, undefined, undefined);
    expect(packets[1]).toStrictEqual({ pattern: 'event', data: 1 });
    const late = new PacketSerializer({ serialize: async (packet) => packet }, JSON_NOTATION);
    expect(await late.write('a', 1, '2', undefined)).toBe('{"pattern":"a","data":1,"id":"2"}');
    const mute = new PacketSerializer({ serialize: () => undefined }, JSON_NOTATION);
    expect(() => mute.write('a', 1, '2', undefined)).toThrow('returned nothing');
  });
});

describe('replies read', () => {
  const nest = new IncomingResponseDeserializer();
  const reader = new ReplyDeserializer(nest, false, JSON_NOTATION);

  it('R5: are what the deserializer of Nest makes of them', () => {
    const keys = fc.constantFrom('id', 'err', 'response', 'isDisposed', 'status', 'extra');
    const envelope = fc.dictionary(keys, fc.jsonValue());
    fc.assert(
      fc.property(fc.oneof(envelope, fc.jsonValue()), (value) => {
        expect(reader.read(value)).toEqual(nest.deserialize(value || {}));
      }),
    );
  });

  it('R5: that are written as Nest does are read the same without parsing the whole', () => {
    const texts = fc.tuple(
      fc.jsonValue(),
      fc.constantFrom('1', '12', '1234567890', '0', '01', '', 'x', '9'.repeat(16)),
    );
    fc.assert(
      fc.property(texts, fc.boolean(), ([response, id], isDisposed) => {
        const text = JSON.stringify(isDisposed ? { response, isDisposed, id } : { response, id });
        const plain = /^[1-9]\d{0,14}$/.test(id);
        expect(reader.readPlain(text)).toBe(plain);
        if (!plain) return;
        expect(reader.plain).toMatchObject({ id: Number(id), last: isDisposed });
        expect(reader.plain.take()).toEqual(JSON.parse(JSON.stringify(response)));
        expect(reader.plain.take()).toBeUndefined();
      }),
    );
  });

  it.each([
    '{"response":1,"err":"no","isDisposed":true,"id":"1"}',
    '{"response":1,"isDisposed":false,"id":"1"}',
    '{"response":"a","id":"2","id":"1"}',
    '{"response":{"id":"1"}',
    '{"response":,"id":"1"}',
    '{"err":"no","isDisposed":true,"id":"1"}',
    '{"isDisposed":true,"id":"1"}',
    '{ "response":1,"id":"1"}',
    '{"response":1,"id":"1" }',
    '{"response":1,"id":1}',
    '"id":"1"}',
    '1"}',
    '',
  ])('R5: that look different are parsed: %s', (text) => {
    expect(reader.readPlain(text)).toBe(false);
  });

  it('need no deserializer where they are plain', () => {
    const deserializer = {
      deserialize(): never {
        throw new Error('asked');
      },
    };
    const plain = { id: '1', response: 5, isDisposed: true };
    expect(new ReplyDeserializer(deserializer, false, JSON_NOTATION).read(plain)).toBe(plain);
    expect(() =>
      new ReplyDeserializer(deserializer, false, JSON_NOTATION).read({ ...plain, more: 1 }),
    ).toThrow('asked');
    expect(() => new ReplyDeserializer(deserializer, true, JSON_NOTATION).read(plain)).toThrow('asked');
  });

  it('of a deserializer that takes its time are known', () => {
    const late = new ReplyDeserializer({ deserialize: async () => ({ id: '1' }) }, true, JSON_NOTATION);
    expect(late.isPromised(late.read({}))).toBe(true);
    expect(reader.isPromised({ then: () => undefined } as never)).toBe(false);
  });
});
