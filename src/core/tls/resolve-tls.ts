import { createHash, hkdfSync, randomBytes } from 'node:crypto';
import * as tls from 'node:tls';
import type { EngineTls, EngineTlsName } from '../../engine/engine-tls.js';
import { GevOptionsError } from '../errors.js';
import { flag, given, integer, MAX_INT32, refuse, refuseUnknown, text } from '../option-checks.js';
import { certificatesOf, chainsOf, defaultAuthorities, keysOf, pfxOf } from './certificates.js';
import { FOREIGN_TLS_OPTIONS } from './foreign-tls-options.js';
import type {
  GevClientTlsOptions,
  GevTlsIdentityOptions,
  GevTlsNameOptions,
  GevTlsOptions,
} from './tls-options.js';

const IDENTITY = ['key', 'cert', 'pfx', 'passphrase'] as const;
const CONTEXT = [...IDENTITY, 'ca', 'minVersion', 'maxVersion', 'ciphers', 'ALPNProtocols'] as const;
const NAME_OPTIONS: readonly (keyof GevTlsNameOptions)[] = [...CONTEXT, 'requestCert', 'rejectUnauthorized'];
const SERVER_OPTIONS: readonly (keyof GevTlsOptions)[] = [
  ...NAME_OPTIONS,
  'sessionTimeout',
  'ticketKeys',
  'sni',
];
const CLIENT_OPTIONS: readonly (keyof GevClientTlsOptions)[] = [
  ...CONTEXT,
  'rejectUnauthorized',
  'servername',
];
const VERSIONS: Readonly<Record<string, number>> = {
  TLSv1: 0x0301,
  'TLSv1.1': 0x0302,
  'TLSv1.2': 0x0303,
  'TLSv1.3': 0x0304,
};
const TICKET_KEYS_LENGTH = 48;
/** What OpenSSL has: a name of 16 bytes, and two keys of 32. */
const OPENSSL_TICKET_KEYS_LENGTH = 80;
const DEFAULT_SESSION_TIMEOUT = 300;
const HOST = /^(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/;

/**
 * What an engine works from.
 *
 * @param ticketKeys of before, where the options have none
 * @throws GevOptionsError, for what Node refuses with Node's words
 */
export function resolveServerTls(
  options: GevTlsOptions,
  option = 'tlsOptions',
  ticketKeys?: Uint8Array,
): EngineTls {
  const own = objectOf(options, option, SERVER_OPTIONS);
  const { sni = {}, ...base } = own;
  if (typeof sni !== 'object') throw refuse(`${option}.sni`, sni, 'an object of names and their options');
  const names = Object.entries(sni).map(([name, named]): EngineTlsName => {
    const place = `${option}.sni['${name}']`;
    const host = name.toLowerCase();
    if (!HOST.test(host)) throw refuse(place, name, 'the name of a host, or *. and one');
    const its = objectOf(named, place, NAME_OPTIONS);
    return { name: host, tls: resolveSide({ ...withoutIdentity(base), ...its }, place, false, host) };
  });
  if (names.length === 0 || IDENTITY.some((name) => base[name] !== undefined))
    requireIdentity(base, option, 'of the server');
  return {
    ...resolveSide(base, option, false, ''),
    sessionTimeout:
      integer(prefixed(own, option), `${option}.sessionTimeout`, 1, MAX_INT32) ?? DEFAULT_SESSION_TIMEOUT,
    ticketKeys: ticketKeysOf(own.ticketKeys, option) ?? ticketKeys ?? randomBytes(OPENSSL_TICKET_KEYS_LENGTH),
    names,
  };
}

/**
 * As {@link resolveServerTls}, of a client.
 *
 * @throws GevOptionsError
 */
export function resolveClientTls(options: GevClientTlsOptions, option = 'tlsOptions'): EngineTls {
  const own = objectOf(options, option, CLIENT_OPTIONS);
  text(prefixed(own, option), `${option}.servername`);
  return { ...resolveSide(own, option, true, ''), requestCert: true };
}

function resolveSide(options: GevTlsNameOptions, option: string, isClient: boolean, name: string): EngineTls {
  if (name !== '') requireIdentity(options, option, 'of this name');
  const flags = prefixed(options, option);
  const requestCert = flag(flags, `${option}.requestCert`) ?? false;
  const rejectUnauthorized = flag(flags, `${option}.rejectUnauthorized`) ?? true;
  const alpn = protocolsOf(options.ALPNProtocols, option);
  const node = contextOptions(options);
  assertNodeTakes(node, option);
  const authorities =
    options.ca !== undefined
      ? certificatesOf(options.ca)
      : isClient || requestCert
        ? defaultAuthorities()
        : [];
  const { minVersion, maxVersion, ciphers, cipherSuites } = rulesOf(options);
  if (minVersion > maxVersion) {
    throw new GevOptionsError(
      `${option}.minVersion`,
      `Option "${option}.minVersion" is above "maxVersion", or "ciphers" has none of either`,
    );
  }
  return {
    keys: keysOf(options),
    certificates: chainsOf(options),
    pfx: pfxOf(options),
    authorities,
    requestCert,
    rejectUnauthorized,
    minVersion,
    maxVersion,
    ciphers,
    cipherSuites,
    alpn,
    sessionTimeout: DEFAULT_SESSION_TIMEOUT,
    ticketKeys: new Uint8Array(),
    sessionIdContext: sessionIdContext(name, requestCert, rejectUnauthorized, authorities),
    names: [],
    node: {
      ...node,
      requestCert,
      rejectUnauthorized,
      ...(options.ALPNProtocols && { ALPNProtocols: [...options.ALPNProtocols] }),
    },
  };
}

/** Whom it asks for, and how strictly: a session that began under other rules is not resumed. */
function sessionIdContext(
  name: string,
  requestCert: boolean,
  rejectUnauthorized: boolean,
  authorities: readonly Uint8Array[],
): Uint8Array {
  const hash = createHash('sha256').update(JSON.stringify([name, requestCert, rejectUnauthorized]));
  if (requestCert) for (const each of authorities) hash.update(each);
  return hash.digest();
}

/** As Node has it: without a cipher of a version, that version is not spoken. */
function rulesOf(
  options: GevTlsIdentityOptions,
): Pick<EngineTls, 'minVersion' | 'maxVersion' | 'ciphers' | 'cipherSuites'> {
  const { minVersion = tls.DEFAULT_MIN_VERSION, maxVersion = tls.DEFAULT_MAX_VERSION } = options;
  const names = (options.ciphers ?? tls.DEFAULT_CIPHERS).split(':').filter((name) => name !== '');
  const cipherSuites = names.filter((name) => name.startsWith('TLS_')).join(':');
  const ciphers = names.filter((name) => !name.startsWith('TLS_')).join(':');
  return {
    minVersion: Math.max(VERSIONS[minVersion]!, ciphers === '' ? VERSIONS['TLSv1.3']! : 0),
    maxVersion: Math.min(
      VERSIONS[maxVersion]!,
      cipherSuites === '' ? VERSIONS['TLSv1.2']! : VERSIONS['TLSv1.3']!,
    ),
    ciphers,
    cipherSuites,
  };
}

function contextOptions(options: GevTlsIdentityOptions): tls.SecureContextOptions {
  const present = CONTEXT.filter((name) => name !== 'ALPNProtocols' && options[name] !== undefined);
  return Object.fromEntries(present.map((name) => [name, options[name]]));
}

/** In Node's own words: what it takes, OpenSSL takes. */
function assertNodeTakes(options: tls.SecureContextOptions, option: string): void {
  for (const name of ['minVersion', 'maxVersion'] as const) {
    const version = options[name];
    if (version !== undefined && !Object.hasOwn(VERSIONS, version))
      throw refuse(`${option}.${name}`, version, `one of ${Object.keys(VERSIONS).join(', ')}`);
  }
  try {
    tls.createSecureContext(options);
  } catch (error) {
    throw new GevOptionsError(option, `Option "${option}" is refused by Node: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function requireIdentity({ key, cert, pfx }: GevTlsIdentityOptions, option: string, whose: string): void {
  if (pfx !== undefined || (key !== undefined && cert !== undefined)) return;
  throw new GevOptionsError(
    option,
    `Option "${option}" needs "key" and "cert", or "pfx": the certificate ${whose}`,
  );
}

function protocolsOf(protocols: readonly string[] | undefined, option: string): Uint8Array {
  if (protocols === undefined) return new Uint8Array();
  if (!Array.isArray(protocols) || protocols.length === 0 || !protocols.every(isProtocol)) {
    throw refuse(`${option}.ALPNProtocols`, protocols, 'an array of names of 1 to 255 bytes');
  }
  return Buffer.concat(
    (protocols as readonly string[]).flatMap((protocol) => {
      const name = Buffer.from(protocol);
      return [Buffer.from([name.length]), name];
    }),
  );
}

function isProtocol(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= 255;
}

function ticketKeysOf(keys: Uint8Array | undefined, option: string): Uint8Array | undefined {
  if (keys === undefined) return undefined;
  if (!(keys instanceof Uint8Array) || keys.length !== TICKET_KEYS_LENGTH) {
    throw refuse(`${option}.ticketKeys`, keys, `a Buffer of ${TICKET_KEYS_LENGTH} bytes`);
  }
  return new Uint8Array(hkdfSync('sha256', keys, '', 'gev tickets', OPENSSL_TICKET_KEYS_LENGTH));
}

function objectOf<Options extends object>(
  options: Options,
  option: string,
  known: readonly string[],
): Options {
  if (typeof options !== 'object' || options === null) throw refuse(option, options, 'an object');
  const present = given(options);
  refuseUnknown(present, known, { within: `${option}.`, foreign: FOREIGN_TLS_OPTIONS });
  return present;
}

function withoutIdentity(options: GevTlsOptions): GevTlsNameOptions {
  const own = NAME_OPTIONS.filter((name) => !(IDENTITY as readonly string[]).includes(name));
  return Object.fromEntries(
    own.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  );
}

function prefixed(options: object, option: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [`${option}.${name}`, value as unknown]),
  );
}
