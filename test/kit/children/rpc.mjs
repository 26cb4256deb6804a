// A server of requests in a process of its own, so that it can be stopped or killed.
//
//   node rpc.mjs <GevServer|ServerTCP> [port]      prints {"port":…,"pid":…} once it listens
import 'reflect-metadata';
import { ServerTCP } from '@nestjs/microservices';
import { GevServer } from 'nestjs-gev';
import { report } from './application.mjs';

const [, , kind, port = '0'] = process.argv;
const options = { host: '127.0.0.1', port: Number(port) };
const server = kind === 'GevServer' ? new GevServer(options) : new ServerTCP(options);
server.addHandler('pid', async () => process.pid);
server.addHandler('echo', async (data) => data);
server.addHandler('never', () => new Promise(() => undefined));
server.listen((error) => {
  if (error) throw error;
  const address = kind === 'GevServer' ? server.address() : server.unwrap().address();
  report({ port: address.port, pid: process.pid });
});
