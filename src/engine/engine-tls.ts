import type { SecureContextOptions } from 'node:tls';

/** TLS of a server or client; all checked before. Bytes are DER where nothing else is said. */
export interface EngineTls {
  /** PKCS #8, without a passphrase. */
  readonly keys: readonly Uint8Array[];
  /** Of each key its certificate, and behind it those that vouch for it. */
  readonly certificates: readonly (readonly Uint8Array[])[];
  readonly pfx: readonly { readonly bytes: Uint8Array; readonly passphrase: string }[];
  /** Who may vouch for the peer. */
  readonly authorities: readonly Uint8Array[];
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  /** 0x0301 to 0x0304. */
  readonly minVersion: number;
  readonly maxVersion: number;
  /** Up to TLS 1.2. */
  readonly ciphers: string;
  /** Of TLS 1.3. */
  readonly cipherSuites: string;
  /** Protocols in order of preference, each behind a byte with its length. */
  readonly alpn: Uint8Array;
  /** Seconds. */
  readonly sessionTimeout: number;
  /** 80 bytes, of a server. */
  readonly ticketKeys: Uint8Array;
  /** 32 bytes. */
  readonly sessionIdContext: Uint8Array;
  readonly names: readonly EngineTlsName[];
  /** The same for `node:tls`, but for names. */
  readonly node: NodeTls;
}

/** What `tls.createServer()` and `tls.connect()` take. */
export interface NodeTls extends SecureContextOptions {
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  readonly ALPNProtocols?: string[];
}

/** What clients get that ask for a name: in lower case, `*.` stands for one label. */
export interface EngineTlsName {
  readonly name: string;
  readonly tls: EngineTls;
}

/** What two peers have agreed on. */
export interface OpeningTls {
  readonly protocol: string;
  readonly cipher: string;
  readonly alpn: string | undefined;
  readonly servername: string | undefined;
  readonly resumed: boolean;
  /** Whether somebody who may vouches for the peer's certificate. */
  readonly authorized: boolean;
  /** Why not, as Node names it; undefined also where it was asked for none. */
  readonly authorizationError: string | undefined;
  /** DER. */
  readonly certificate: Uint8Array | undefined;
}
