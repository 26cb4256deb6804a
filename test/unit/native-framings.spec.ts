import { describe, expect, it } from '@jest/globals';
import { FrameEnvelope } from '../../src/engine/frame-envelope.js';
import type { InboundListener, Opening } from '../../src/engine/inbound-listener.js';
import type { EngineFraming } from '../../src/engine/engine-options.js';
import { loadBinding } from '../../src/engine/native/binding.js';
import { Inbound } from '../../src/engine/native/inbound.js';
import { CONTROL_OPEN_SLAB, SLAB_SIZE } from '../../src/engine/native/layout.js';
import { Outbound } from '../../src/engine/native/outbound.js';
import { Pace } from '../../src/engine/pace.js';
import { onCleanup } from '../kit/cleanup.js';
import { until } from '../kit/until.js';
import { dial, ENGINE_OPTIONS, LENGTHS, LINES, MAX, RAW } from './support/framings.js';

/** What came, as `<listener>:<kind>:<content>`, and a reactor with these listeners that answers in their framing. */
function serve(loops: number, delivery: 'text' | 'copied', framings: readonly EngineFraming[]) {
  const count = Math.max(loops, 1);
  const slabs = () => Array.from({ length: 4 * count }, () => new ArrayBuffer(SLAB_SIZE));
  const [inbound, outbound] = [slabs(), slabs()];
  const control = new Int32Array(CONTROL_OPEN_SLAB + count);
  const received: string[] = [];
  const envelopes = framings.map((framing) => FrameEnvelope.of(framing));
  const inbounds: Inbound[] = [];
  const { NativeReactor } = loadBinding();
  const reactor = new NativeReactor(
    { ...ENGINE_OPTIONS, loops, framing: framings[0]!, allow: undefined, deny: new Uint8Array() },
    inbound,
    outbound,
    control.buffer,
    (loop, slab, from, to) => inbounds[loop]!.read(slab, from, to),
  );
  for (let loop = 0; loop < count; loop++) {
    const own = (all: ArrayBuffer[]) => all.slice(4 * loop, 4 * loop + 4);
    const port = new Outbound(
      reactor,
      loop,
      own(outbound),
      control,
      () => setImmediate(() => reactor.flush()),
      MAX,
    );
    const listeners: number[] = [];
    const answer = (slot: number, generation: number, kind: string, data: string | Buffer) => {
      const text = data.length > 100 ? `${data.length} bytes` : data.toString();
      received.push(`${listeners[slot]}:${kind}:${text}`);
      const envelope = envelopes[listeners[slot]!];
      if (envelope === undefined) port.send(slot, generation, Buffer.from(data), 0);
      else port.sendEnclosed(slot, generation, envelope, data, 0);
    };
    const listener = {
      abandoned: false,
      onOpen: ({ slot, listener: number }: Opening) => (listeners[slot] = number),
      onMessage: (slot: number, generation: number, data: Buffer) => answer(slot, generation, 'bytes', data),
      onText: (slot: number, generation: number, text: string) => answer(slot, generation, 'text', text),
      onEnd: () => undefined,
      onClose: () => undefined,
      onUncaught: (error: unknown) => received.push(String(error)),
    } as unknown as InboundListener;
    inbounds.push(new Inbound(reactor, loop, own(inbound), listener, delivery, new Pace(), true));
  }
  onCleanup(() => reactor.stop());
  const ports = framings.map((framing) => reactor.listen('127.0.0.1', 0, framing).port);
  reactor.start();
  return { ports, received, reactor };
}

describe.each([0, 2])('framings of the native engine, on %i loops', (loops) => {
  it.each(['text', 'copied'] as const)(
    'S1: each listener cuts frames its own way, whatever the loop is made for (%s)',
    async (delivery) => {
      const { ports, received } = serve(loops, delivery, [LINES, RAW, LENGTHS]);
      const [lines, raw, lengths] = await Promise.all(ports.map(dial));
      lines!.socket.write('one\r\n\nna\u00efve\nrest');
      await until(() => received.length === 3);
      raw!.socket.write('raw\n');
      await until(() => received.length === 4);
      lengths!.socket.write('\0\x03abc\0\0\0\x02\n\n\0');
      await until(() => received.length === 7);
      expect(received).toEqual([
        '0:text:one',
        '0:text:',
        '0:text:na\u00efve',
        '1:bytes:raw\n',
        '2:bytes:abc',
        '2:bytes:',
        '2:bytes:\n\n',
      ]);
      await until(() => lengths!.text().length === 11);
      expect(lengths!.text()).toBe('\0\x03abc\0\0\0\x02\n\n');
      await until(() => lines!.text().length === 12);
      expect(lines!.text()).toBe('one\n\nna\xc3\xafve\n');
      expect(raw!.text()).toBe('raw\n');
    },
  );

  it('R2: frames longer than a slab come and go whole, text and bytes', async () => {
    const long = { ...LENGTHS, lengthField: { ...LENGTHS.lengthField!, size: 4 as const } };
    const { ports, received } = serve(loops, 'copied', [LINES, long]);
    const [lines, lengths] = await Promise.all(ports.map(dial));
    const text = 'x'.repeat(600_000);
    lines!.socket.write(`${text}\nnext\n`);
    await until(() => received.length === 2);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(600_000);
    lengths!.socket.write(Buffer.concat([header, Buffer.from(text), Buffer.from([0, 0, 0, 1, 0x79])]));
    await until(() => received.length === 4);
    expect(received).toEqual(['0:text:600000 bytes', '0:text:next', '1:bytes:600000 bytes', '1:bytes:y']);
    await until(() => lines!.text().length === 600_006 && lengths!.text().length === 600_009);
    expect(lines!.text()).toBe(`${text}\nnext\n`);
    expect(lengths!.text().slice(4)).toBe(`${text}\0\0\0\x01y`);
  });

  it('R3: options out of range are refused in words, and everything is closed', () => {
    expect(() => serve(loops, 'copied', [RAW, { ...LINES, delimiter: Buffer.alloc(17) }])).toThrow(
      /framing: a delimiter has 1 to 16 bytes/,
    );
    expect(() =>
      serve(loops, 'copied', [{ ...LENGTHS, lengthField: { ...LENGTHS.lengthField!, offset: 70_000 } }]),
    ).toThrow(/framing: offset and strip are up to 65535 bytes/);
  });

  it('S1: nobody listens after start()', () => {
    const { reactor } = serve(loops, 'copied', [RAW]);
    expect(() => reactor.listen('127.0.0.1', 0)).toThrow(/listen\(\) comes before start\(\)/);
    expect(() => reactor.start()).toThrow(/start\(\) once/);
  });
});
