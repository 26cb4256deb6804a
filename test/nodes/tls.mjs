// Whether this Node lets addons at all of OpenSSL that the loops need, and whether they speak TLS by it.
//
//   node test/nodes/tls.mjs      after native/build.mjs and a build of dist/
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { Reactor } from 'nestjs-gev/core';

const nothing = () => undefined;

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '-', '-out', '-'];
const NAME = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
const pem = execFileSync('openssl', ['req', '-x509', ...EC, ...NAME], {
  stdio: ['ignore', 'pipe', 'ignore'],
});
const [key, cert] = pem.toString().match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----\n/g);

/** What is received, as text, once it is as long. */
async function reply(socket, length) {
  let text = '';
  for await (const chunk of socket) {
    text += chunk;
    if (text.length >= length) break;
  }
  return text;
}

for (const loops of [0, 1]) {
  const echo = new Reactor(
    { engine: 'native', loops, host: '127.0.0.1', port: 0, tlsOptions: { key, cert } },
    {
      ...{ onOpen: nothing, onMessage: nothing, onEnd: nothing, onClose: nothing, onError: nothing },
      onText: (connection, text) => connection.send(text),
    },
  );
  const { port } = await echo.listen();
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: cert });
  await once(socket, 'secureConnect');
  assert.equal(socket.authorized, true);
  socket.write('5#"abc"');
  assert.equal(await reply(socket, 7), '5#"abc"');
  socket.destroy();

  const client = new Reactor(
    { engine: 'native', loops, dialTls: { ca: cert } },
    {
      ...{ onOpen: nothing, onMessage: nothing, onEnd: nothing, onClose: nothing, onError: nothing },
      onText: nothing,
    },
  );
  await client.start();
  const dialled = await client.dial({ host: '127.0.0.1', port, servername: 'localhost' }, 5_000);
  assert.equal(dialled.tls.authorized, true);
  assert.equal(dialled.tls.protocol, 'TLSv1.3');
  await client.stop();
  await echo.stop();
  console.log(`ok: TLS of a server and a client, ${loops} loops`);
}
