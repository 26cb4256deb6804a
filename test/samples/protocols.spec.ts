import { describe, expect, it } from '@jest/globals';
import jsmodbus, { type ModbusTCPClient } from 'jsmodbus';
import { Peer } from '../kit/peer.js';
import { hasNetcat, netcat, runClient, start } from '../kit/samples.js';
import { sanitized } from '../kit/server-process.js';
import { until } from '../kit/until.js';

const ifNetcat = hasNetcat ? it : it.skip;

/** Takes the lines that must come next, and no others. */
async function expectLines(peer: Peer, ...lines: string[]): Promise<void> {
  const text = lines.map((line) => `${line}\n`).join('');
  expect(await peer.text(Buffer.byteLength(text))).toBe(text);
}

const welcome = (name: string, ...names: string[]): string =>
  `* Welcome, ${name}. NICK <name> changes your name. Here: ${names.join(', ')}`;

/** A client that nobody here wrote, connected. */
async function modbusClient(port: number): Promise<{ client: ModbusTCPClient; peer: Peer }> {
  const peer = await Peer.connect(port);
  const client = new jsmodbus.client.TCP(peer.socket, 7, 60_000);
  peer.socket.emit('connect'); // it counts as offline until it sees that
  peer.socket.resume();
  return { client, peer };
}

/** The exception that a request is refused with. */
async function exceptionOf(request: Promise<unknown>): Promise<unknown> {
  const error = await request.then(
    () => undefined,
    (error: { err: string; response: { body: { code: number } } }) => error,
  );
  return [error?.err, error?.response.body.code];
}

(sanitized ? describe.skip : describe)('samples of protocols', () => {
  it('line-chat: joins, names, lines and leaves reach everybody else', async () => {
    const { port } = await start('line-chat');
    const ann = (await Peer.connect(port)).read();
    await expectLines(ann, welcome('guest-1', 'guest-1'));
    const bob = (await Peer.connect(port)).read();
    await expectLines(bob, welcome('guest-2', 'guest-1', 'guest-2'));
    await expectLines(ann, '* guest-2 joined');

    ann.write('NICK änn\r\nhello\r\n\r\n');
    await expectLines(ann, '* You are änn');
    await expectLines(bob, '* guest-1 is now änn', 'änn: hello');
    bob.write('NICK änn\nNICK\nNICK a b\nNICKNAMES\n\x1b[2J\x07red\n');
    const rule = '* A name is 1 to 20 letters, digits, - or _';
    await expectLines(bob, '* änn is taken', rule, rule);
    await expectLines(ann, 'guest-2: NICKNAMES', 'guest-2: [2Jred');

    bob.socket.destroy();
    await expectLines(ann, '* guest-2 left');
    const carl = (await Peer.connect(port)).read();
    await expectLines(carl, welcome('guest-3', 'änn', 'guest-3'));
    await expectLines(ann, '* guest-3 joined');
    expect(carl.length).toBe(0);
  });

  ifNetcat('line-chat: nc takes part', async () => {
    const { port } = await start('line-chat');
    const ann = (await Peer.connect(port)).read();
    await expectLines(ann, welcome('guest-1', 'guest-1'));
    const printed = netcat(port, Buffer.from('NICK bob\nhello\n')).toString();
    expect(printed).toBe(`${welcome('guest-2', 'guest-1', 'guest-2')}\n* You are bob\n`);
    await expectLines(ann, '* guest-2 joined', '* guest-2 is now bob', 'bob: hello', '* bob left');
  });

  it('modbus: jsmodbus writes registers and reads them, on several connections', async () => {
    const { port } = await start('modbus');
    const { client } = await modbusClient(port);
    const single = await client.writeSingleRegister(5, 0xabcd);
    expect(single.response.body).toMatchObject({ address: 5, value: 0xabcd });
    const multiple = await client.writeMultipleRegisters(6, [1, 2, 0xffff]);
    expect(multiple.response.body).toMatchObject({ start: 6, quantity: 3 });
    const other = await modbusClient(port);
    const { response } = await other.client.readHoldingRegisters(4, 6);
    expect(response.unitId).toBe(7);
    expect(response.body.valuesAsArray).toEqual([0, 0xabcd, 1, 2, 0xffff, 0]);
    expect(await runClient('modbus', port)).toEqual([
      'registers 0 to 3: 1833 1 2 65535',
      'registers 99 and 100: exception 2',
    ]);
  });

  it('modbus: jsmodbus is told of unknown functions and bad addresses, and goes on', async () => {
    const { port } = await start('modbus');
    const { client } = await modbusClient(port);
    expect(await exceptionOf(client.readCoils(0, 8))).toEqual(['ModbusException', 1]);
    expect(await exceptionOf(client.readHoldingRegisters(99, 2))).toEqual(['ModbusException', 2]);
    expect(await exceptionOf(client.writeSingleRegister(100, 1))).toEqual(['ModbusException', 2]);
    expect(await exceptionOf(client.writeMultipleRegisters(99, [1, 2]))).toEqual(['ModbusException', 2]);
    const { response } = await client.readHoldingRegisters(98, 2);
    expect(response.body.valuesAsArray).toEqual([0, 0]);
  });

  it('modbus: requests that come together, cut anywhere, are answered in order', async () => {
    const { port } = await start('modbus');
    const peer = (await Peer.connect(port)).read();
    peer.socket.setNoDelay(true);
    const requests: number[] = [];
    const replies: number[] = [];
    for (let transaction = 0; transaction < 100; transaction++) {
      const header = [0, transaction, 0, 0, 0];
      if (transaction % 2 === 0) {
        requests.push(...header, 6, 1, 6, 0, 3, 0, transaction);
        replies.push(...header, 6, 1, 6, 0, 3, 0, transaction);
      } else {
        requests.push(...header, 6, 1, 3, 0, 3, 0, 1);
        replies.push(...header, 5, 1, 3, 2, 0, transaction - 1);
      }
    }
    for (let at = 0; at < requests.length; at += 17) {
      peer.write(Buffer.from(requests.slice(at, at + 17)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect([...(await peer.take(replies.length))]).toEqual(replies);
  });

  it.each([
    ['no quantity', [3, 0, 0], [0x83, 3]],
    ['a quantity of 0', [3, 0, 0, 0, 0], [0x83, 3]],
    ['a quantity above the limit', [3, 0, 0, 0, 126], [0x83, 3]],
    ['bytes too many', [6, 0, 0, 0, 1, 9], [0x86, 3]],
    ['values of another quantity', [16, 0, 0, 0, 2, 2, 0, 1], [0x90, 3]],
    ['fewer values than it says', [16, 0, 0, 0, 2, 4, 0, 1], [0x90, 3]],
    ['a function beyond the codes there are', [200], [200, 1]],
  ])('modbus: a request with %s is answered by an exception', async (_, request, reply) => {
    const { port } = await start('modbus');
    const peer = (await Peer.connect(port)).read();
    peer.write(Buffer.from([1, 2, 0, 0, 0, 1 + request.length, 9, ...request]));
    expect([...(await peer.take(7 + reply.length))]).toEqual([1, 2, 0, 0, 0, 3, 9, ...reply]);
  });

  it.each([
    ['of another protocol', [0, 0, 0, 1, 0, 2, 1, 3]],
    ['without a function', [0, 0, 0, 0, 0, 1, 1]],
    ['longer than a frame can be', [0, 0, 0, 0, 1, 0, 1, 3]],
  ])('modbus: a frame %s ends its connection', async (_, frame) => {
    const { port } = await start('modbus');
    const peer = (await Peer.connect(port)).read();
    peer.write(Buffer.from(frame));
    await until(() => peer.closed);
    expect(peer.length).toBe(0);
  });
});
