import type { Socket } from 'node:net';
import {
  connect,
  createSecureContext,
  createServer,
  type SecureContext,
  type Server,
  TLSSocket,
} from 'node:tls';
import type { EngineTls, OpeningTls } from '../engine-tls.js';
import type { GevRefusal } from '../refusals.js';

/** What a {@link TlsAcceptor} tells. */
export interface TlsAcceptorOwner {
  onSecured(socket: TLSSocket): void;
  /** A handshake came to nothing, and its socket is gone. `detail`: what was wrong with it; may be empty. */
  onFailed(cause: GevRefusal, remoteAddress: string, detail: string): void;
}

/** What OpenSSL makes of the first bytes of a peer that speaks no TLS. */
const NO_TLS = new Set([
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
]);

/** Shakes hands, by `node:tls`, over the sockets that a listener has accepted. */
export class TlsAcceptor {
  /** Handshakes under way. */
  pending = 0;
  private server: Server;
  private readonly sockets = new Set<Socket>();

  constructor(
    tls: EngineTls,
    private readonly handshakeTimeout: number,
    private readonly owner: TlsAcceptorOwner,
  ) {
    this.server = this.make(tls);
  }

  /** For sockets that come from now on. */
  setTls(tls: EngineTls): void {
    this.server = this.make(tls);
  }

  take(socket: Socket): void {
    this.pending++;
    this.sockets.add(socket);
    socket.on('error', () => undefined); // the one above tells of it
    socket.once('close', () => this.sockets.delete(socket));
    // Until it is done, the end of the peer is the end of it.
    socket.allowHalfOpen = false;
    this.server.emit('connection', socket);
  }

  /** Nobody is told. */
  stop(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private make(tls: EngineTls): Server {
    const differs = tls.names.some(({ tls: named }) => strictnessOf(named) !== strictnessOf(tls));
    const server = createServer({
      ...tls.node,
      handshakeTimeout: this.handshakeTimeout,
      sessionTimeout: tls.sessionTimeout,
      ticketKeys: Buffer.from(tls.ticketKeys.subarray(0, 48)),
      ...(tls.names.length > 0 && { SNICallback: sniCallback(tls) }),
      // Node asks all or nobody: where names differ all are asked, and who may come in is decided when it is done.
      ...(differs && { requestCert: true, rejectUnauthorized: false }),
    });
    // Each handshake ends in one of these, once.
    server.on('secureConnection', (socket) => {
      this.pending--;
      if (differs && !isAdmitted(tls, socket)) {
        const { remoteAddress = '' } = socket;
        socket.destroy();
        this.owner.onFailed('handshakeClosed', remoteAddress, '');
        return;
      }
      socket.allowHalfOpen = true;
      this.owner.onSecured(socket);
    });
    server.on('tlsClientError', (error, socket) => {
      this.pending--;
      const { remoteAddress = '' } = socket;
      socket.destroy();
      this.owner.onFailed(causeOf(error), remoteAddress, detailOf(error));
    });
    return server;
  }
}

/** How many sessions are kept, one a name. */
const MAX_SESSIONS = 256;

/** Shakes hands, by `node:tls`, over sockets that have connected. */
export class TlsDialer {
  /** That may be resumed, by the names that were asked for. */
  private readonly sessions = new Map<string, Buffer>();

  constructor(private readonly tls: EngineTls) {}

  /** `onSecured` is called once it is done, whoever the server is: that is for others to judge. */
  secure(socket: Socket, servername: string, onSecured: (socket: TLSSocket) => void): TLSSocket {
    const session = this.sessions.get(servername);
    this.sessions.delete(servername); // a ticket is used once
    const secure = connect({
      ...this.tls.node,
      socket,
      servername,
      ...(session && { session }),
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    secure.on('session', (next: Buffer) => {
      if (secure.authorized && servername !== '') this.keep(servername, next);
    });
    secure.once('secureConnect', () => onSecured(secure));
    return secure;
  }

  private keep(servername: string, session: Buffer): void {
    this.sessions.delete(servername);
    this.sessions.set(servername, session);
    if (this.sessions.size > MAX_SESSIONS) this.sessions.delete(this.sessions.keys().next().value!);
  }
}

function causeOf({ code }: NodeJS.ErrnoException): GevRefusal {
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'handshakeTimeout';
  return code?.startsWith('ERR_SSL_') === true ? 'tls' : 'handshakeClosed';
}

function detailOf({ code = '', reason }: NodeJS.ErrnoException & { readonly reason?: string }): string {
  if (NO_TLS.has(code)) return 'the peer speaks no TLS';
  return code.startsWith('ERR_SSL_') ? (reason ?? code.slice('ERR_SSL_'.length).toLowerCase()) : '';
}

function strictnessOf({ requestCert, rejectUnauthorized }: EngineTls): string {
  return requestCert ? `asks${rejectUnauthorized ? ', refuses' : ''}` : '';
}

/** A session that was resumed is authorized for Node, though it began where nobody was asked: it has no certificate then. */
function isAdmitted(tls: EngineTls, socket: TLSSocket): boolean {
  const { servername } = socket as { servername?: string | false | null };
  const { requestCert, rejectUnauthorized } = ofName(tls, servername || '') ?? tls;
  if (!requestCert || !rejectUnauthorized) return true;
  return socket.authorized && socket.getPeerX509Certificate() !== undefined;
}

function ofName({ names }: EngineTls, servername: string): EngineTls | undefined {
  const host = servername.toLowerCase();
  const wildcard = host.replace(/^[^.]+/, '*');
  return (names.find(({ name }) => name === host) ?? names.find(({ name }) => name === wildcard))?.tls;
}

type SniCallback = (name: string, done: (error: Error | null, context?: SecureContext) => void) => void;

function sniCallback(tls: EngineTls): SniCallback {
  const contexts = new Map(tls.names.map(({ tls: named }) => [named, createSecureContext(named.node)]));
  return (name, done) => {
    const named = ofName(tls, name);
    done(null, named && contexts.get(named));
  };
}

/** What a socket has agreed on with its peer; undefined for one without TLS. */
export function openingTlsOf(socket: Socket): OpeningTls | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const { alpnProtocol, authorized, authorizationError } = socket;
  const { servername } = socket as { servername?: string | false | null };
  const problem = authorizationError as unknown as Error | string | null | undefined;
  return {
    protocol: socket.getProtocol() ?? '',
    cipher: socket.getCipher().name,
    alpn: alpnProtocol || undefined,
    servername: servername || undefined,
    resumed: socket.isSessionReused(),
    authorized,
    authorizationError: problem == null ? undefined : String((problem as { code?: string }).code ?? problem),
    certificate: socket.getPeerX509Certificate()?.raw,
  };
}
