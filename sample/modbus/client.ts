// Writes registers, reads them, and reads what is not there, with a client of others: jsmodbus.
import { once } from 'node:events';
import { connect } from 'node:net';
import jsmodbus from 'jsmodbus';
import { host, port } from '../env.js';
import { explain } from '../explain.js';

const socket = connect(port, host).on('error', explain);
const client = new jsmodbus.client.TCP(socket, 1);
await once(socket, 'connect');

await client.writeSingleRegister(0, 1833);
await client.writeMultipleRegisters(1, [1, 2, 0xffff]);
const { response } = await client.readHoldingRegisters(0, 4);
console.log(`registers 0 to 3: ${response.body.valuesAsArray.join(' ')}`);
const refused = client.readHoldingRegisters(99, 2);
await refused.catch(({ response }: { response: { body: { code: number } } }) => {
  console.log(`registers 99 and 100: exception ${response.body.code}`);
});
socket.end();
