import { describe, expect, it } from '@jest/globals';
import { constants } from 'node:os';
import type { EngineFraming } from '../../src/engine/engine-options.js';
import { FrameEnvelope } from '../../src/engine/frame-envelope.js';
import { CloseCode, type InboundListener } from '../../src/engine/inbound-listener.js';
import { JavaScriptEngine } from '../../src/engine/javascript/javascript-engine.js';
import { onCleanup } from '../kit/cleanup.js';
import { until } from '../kit/until.js';
import { dial, ENGINE_OPTIONS, LENGTHS, LINES, MAX, RAW } from './support/framings.js';

/** An engine with these listeners that answers in their framing, and what came, as `<listener>:<kind>:<content>`. */
async function serve(framings: readonly EngineFraming[]) {
  const received: string[] = [];
  const closed: { reason: number; errno: number; tooLong: number }[] = [];
  const envelopes = framings.map((framing) => FrameEnvelope.of(framing));
  const engine = new JavaScriptEngine({
    options: { ...ENGINE_OPTIONS, closeTimeout: 50, loops: 0, framing: framings[0]! },
    delivery: 'copied',
    longestFrame: MAX,
    turns: () => undefined,
  });
  onCleanup(() => engine.stop());
  const listeners: number[] = [];
  const answer = (slot: number, generation: number, kind: string, data: string | Buffer): void => {
    received.push(
      `${listeners[slot]}:${kind}:${data.length > 100 ? `${data.length} bytes` : data.toString()}`,
    );
    const envelope = envelopes[listeners[slot]!];
    if (envelope === undefined) port.send(slot, generation, Buffer.from(data), 0);
    else port.sendEnclosed(slot, generation, envelope, data, 0);
  };
  const listener: Partial<InboundListener> = {
    abandoned: false,
    onOpen: ({ slot, listener: number }) => void (listeners[slot] = number),
    onMessage: (slot, generation, data) => answer(slot, generation, 'bytes', data),
    onText: (slot, generation, text) => answer(slot, generation, 'text', text),
    onEnd: () => undefined,
    onClose: (_slot, _generation, reason, errno, tooLong) => void closed.push({ reason, errno, tooLong }),
    onUncaught: (error) => void received.push(String(error)),
  };
  const port = engine.attach(0, listener as InboundListener);
  const ports: number[] = [];
  for (const framing of framings) ports.push((await engine.listen('127.0.0.1', 0, framing)).port);
  return { ports, received, closed };
}

describe('framings of the JavaScript engine', () => {
  it('S1: each listener cuts frames its own way', async () => {
    const { ports, received } = await serve([LINES, RAW, LENGTHS]);
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
    await until(() => raw!.text() === 'raw\n');
  });

  it('R2: long frames come and go whole, text and bytes', async () => {
    const long = { ...LENGTHS, lengthField: { ...LENGTHS.lengthField!, size: 4 as const } };
    const { ports, received } = await serve([LINES, long]);
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

  it('R3: what is too long or no frame ends its connection, and nothing behind it is handed over', async () => {
    const short = { ...LENGTHS, maxFrameLength: 3 };
    const strict = { ...LENGTHS, lengthField: { ...LENGTHS.lengthField!, adjustment: -2 } };
    const { ports, received, closed } = await serve([short, strict]);
    const [long, none] = await Promise.all(ports.map(dial));
    long!.socket.end('\0\x01a\0\x04abcd\0\x01b');
    await until(() => closed.length === 1);
    none!.socket.end('\0\x03a\0\x01\0\x03b');
    await until(() => closed.length === 2);
    expect(received).toEqual(['0:bytes:a', '1:bytes:a']);
    expect(closed).toEqual([
      { reason: CloseCode.protocol, errno: constants.errno.EMSGSIZE, tooLong: 4 },
      { reason: CloseCode.protocol, errno: constants.errno.EBADMSG, tooLong: 0 },
    ]);
  });
});
