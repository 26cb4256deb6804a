import type { ForeignOptions } from '../foreign-options.js';

const VERSION = 'give "minVersion" and "maxVersion"';
const OPENSSL = 'it is left as OpenSSL has it; terminate TLS in front where it matters';
const SPLIT = 'give "key" and "cert"';
const SOCKET = 'it is no option of TLS: give it beside "tlsOptions"';

/** Names of Node's `tls`, and what to do instead. */
export const FOREIGN_TLS_OPTIONS: ForeignOptions = {
  SNICallback:
    'what it makes cannot be opened: list names and certificates in "sni", and replace them by setTls()',
  secureContext: `what it holds cannot be opened: ${SPLIT}`,
  ALPNCallback: 'list protocols in "ALPNProtocols"',
  NPNProtocols: 'list protocols in "ALPNProtocols"',
  secureProtocol: VERSION,
  secureOptions: VERSION,
  handshakeTimeout: 'it is an option of the server itself: give it beside "tlsOptions"',
  checkServerIdentity: 'the certificate is to have the name: give another one by "servername"',
  session: 'sessions are kept and resumed by themselves',
  sessionIdContext: 'it is made of "ca", "requestCert" and "rejectUnauthorized"',
  host: SOCKET,
  port: SOCKET,
  path: SOCKET,
  keepAlive: SOCKET,
  noDelay: SOCKET,
  timeout: SOCKET,
  lookup: SOCKET,
  allowHalfOpen: 'it always is',
  pauseOnConnect: 'return a promise from @OnConnect()',
  honorCipherOrder: "the server's order counts",
  crl: OPENSSL,
  dhparam: OPENSSL,
  ecdhCurve: OPENSSL,
  sigalgs: OPENSSL,
  enableTrace: OPENSSL,
  requestOCSP: OPENSSL,
  pskCallback: OPENSSL,
  pskIdentityHint: OPENSSL,
  clientCertEngine: SPLIT,
  privateKeyEngine: SPLIT,
  privateKeyIdentifier: SPLIT,
};
