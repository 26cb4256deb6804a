import { X509Certificate } from 'node:crypto';
import { checkServerIdentity } from 'node:tls';
import type { OpeningTls } from '../../engine/engine-tls.js';

/**
 * What a connection and its peer have agreed on by TLS.
 *
 * @publicApi
 */
export interface GevTls {
  /** `'TLSv1.3'` or `'TLSv1.2'`. */
  readonly protocol: string;
  /** As OpenSSL names it: `'TLS_AES_256_GCM_SHA384'`. */
  readonly cipher: string;
  /** The protocol that was chosen of `ALPNProtocols`; undefined: none was spoken of. */
  readonly alpn: string | undefined;
  /** The name that the client asked for; undefined: none. */
  readonly servername: string | undefined;
  /** Whether a session was resumed. */
  readonly resumed: boolean;
  /** Whether the peer's certificate can be trusted. False, too, where it was asked for none. */
  readonly authorized: boolean;
  /** Why not, in Node's words: `'DEPTH_ZERO_SELF_SIGNED_CERT'`; undefined also where it was asked for none. */
  readonly authorizationError: string | undefined;
  /** What the peer has shown; read when it is asked for first. Undefined: nothing. */
  readonly peerCertificate: X509Certificate | undefined;
}

/** @internal */
export class ConnectionTls implements GevTls {
  readonly protocol: string;
  readonly cipher: string;
  readonly alpn: string | undefined;
  readonly servername: string | undefined;
  readonly resumed: boolean;
  authorized: boolean;
  authorizationError: string | undefined;
  /** Why the certificate of a server is another name's. */
  identityError: Error | undefined;
  private certificate: X509Certificate | undefined;

  constructor(private readonly opening: OpeningTls) {
    this.protocol = opening.protocol;
    this.cipher = opening.cipher;
    this.alpn = opening.alpn;
    this.servername = opening.servername;
    this.resumed = opening.resumed;
    this.authorized = opening.authorized;
    this.authorizationError = opening.authorizationError;
  }

  /** Of a server: whether its certificate has the name that was dialled. */
  checkIdentity(servername: string): void {
    if (!this.authorized || this.peerCertificate === undefined) return;
    const error = checkServerIdentity(servername, this.peerCertificate.toLegacyObject());
    if (error === undefined) return;
    this.identityError = error;
    this.authorized = false;
    this.authorizationError = (error as NodeJS.ErrnoException).code ?? 'ERR_TLS_CERT_ALTNAME_INVALID';
  }

  get peerCertificate(): X509Certificate | undefined {
    const { certificate } = this.opening;
    return (this.certificate ??= certificate && new X509Certificate(certificate));
  }
}
