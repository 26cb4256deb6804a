import type { SecureContextOptions, SecureVersion } from 'node:tls';

/**
 * TLS, under the names of Node's `tls.createSecureContext()`. Keys and certificates are PEM.
 *
 * @publicApi
 */
export interface GevTlsIdentityOptions {
  /** The private key; several of different kinds, with `cert` in the same number. */
  readonly key?: SecureContextOptions['key'];
  /** The certificate, and behind it those that vouch for it. */
  readonly cert?: SecureContextOptions['cert'];
  /** Who may vouch for the peer. Default: as Node, its own roots and those of `NODE_EXTRA_CA_CERTS`. */
  readonly ca?: SecureContextOptions['ca'];
  /** Key and certificate in one file (PKCS #12). */
  readonly pfx?: SecureContextOptions['pfx'];
  /** Of `key` or `pfx`. */
  readonly passphrase?: string;
  /** Default: Node's `tls.DEFAULT_MIN_VERSION`, TLS 1.2. */
  readonly minVersion?: SecureVersion;
  /** Default: Node's `tls.DEFAULT_MAX_VERSION`, TLS 1.3. */
  readonly maxVersion?: SecureVersion;
  /** As OpenSSL lists them, separated by colons. Default: Node's `tls.DEFAULT_CIPHERS`. */
  readonly ciphers?: string;
  /** Protocols by preference; a client that offers others only is refused. Default: none. */
  readonly ALPNProtocols?: readonly string[];
}

/**
 * What one name of a server stands for; of what is left out the server's own holds, but for key and certificate.
 *
 * @publicApi
 */
export interface GevTlsNameOptions extends GevTlsIdentityOptions {
  /** Ask clients for a certificate. Default: false. */
  readonly requestCert?: boolean;
  /** Refuse those that show none, or one that nobody in `ca` vouches for. Default: true. */
  readonly rejectUnauthorized?: boolean;
}

/**
 * TLS of a server, under Node's names. Others are refused, with what to do instead.
 *
 * @publicApi
 */
export interface GevTlsOptions extends GevTlsNameOptions {
  /** How long a session may be resumed, in seconds. Default: 300. */
  readonly sessionTimeout?: number;
  /** 48 bytes, the same for servers that are to resume each other's sessions. Default: random, kept by `setTls()`. */
  readonly ticketKeys?: Uint8Array;
  /** Other certificates for clients that ask for these names; `*.example.org` stands for one label. Instead of `SNICallback`. */
  readonly sni?: Readonly<Record<string, GevTlsNameOptions>>;
}

/**
 * TLS of a client, under Node's names.
 *
 * @publicApi
 */
export interface GevClientTlsOptions extends GevTlsIdentityOptions {
  /** Refuse a server that `ca` does not vouch for, or whose certificate is another name's. Default: true. */
  readonly rejectUnauthorized?: boolean;
  /** The name that is asked for, and that the certificate must have. Default: the endpoint's host. */
  readonly servername?: string;
}
