// Both sides of connections that are to be cut off from each other. Of each pair one connection is silent, and the other
// is pushed to.
//
//   node partition.mjs <role> <options as JSON>       reports {"port":…} where it listens, {"ready":true} once all are
//                                                     up, and of a connection's end {"silent":<reason>,"code":…}
import { connect, createServer } from 'node:net';
import { GevClient } from 'nestjs-gev';
import { application, report } from './application.mjs';

const [, , role, json = '{}'] = process.argv;
const KINDS = ['silent', 'pushed'];
const PUSH_EVERY_MS = 100;

const roles = {
  async server(options) {
    let open = 0;
    const { port } = await application(options, {
      message(data, connection) {
        connection.data.kind = data.toString();
        if (connection.data.kind === 'pushed') push(connection);
        if (++open === KINDS.length) report({ ready: true });
      },
      close: (reason, connection) =>
        report({ [connection.data.kind]: reason, code: connection.closeError?.code }),
    });
    report({ port });
  },

  /** Plain clients of that server, who read and never say anything more. */
  peers({ port }) {
    for (const kind of KINDS)
      connect(port, '127.0.0.1')
        .resume()
        .on('error', () => undefined)
        .write(kind);
  },

  /** A plain server that reads and never says anything. */
  'silent server'() {
    const server = createServer((socket) => socket.resume().on('error', () => undefined));
    server.listen(0, '127.0.0.1', () => report({ port: server.address().port }));
  },

  async clients(options) {
    for (const kind of KINDS) {
      const client = new GevClient(options);
      client.on('disconnect', (_, error) => report({ [kind]: error.reason, code: error.cause?.code }));
      await client.connect();
      if (kind === 'pushed')
        setInterval(() => client.emit('push', 1).subscribe({ error: () => undefined }), PUSH_EVERY_MS);
    }
    setInterval(() => undefined, 1_000); // a client keeps no process alive
    report({ ready: true });
  },
};

function push(connection) {
  const timer = setInterval(() => {
    if (connection.state === 'open') connection.send('x');
    else clearInterval(timer);
  }, PUSH_EVERY_MS);
}

await roles[role](JSON.parse(json));
