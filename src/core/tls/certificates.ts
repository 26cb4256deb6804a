import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as tls from 'node:tls';
import type { GevTlsIdentityOptions } from './tls-options.js';

type Bytes = string | Uint8Array;

const CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([^-]+)-----END/g;

/** The certificates of PEM texts, as DER. */
export function certificatesOf(pem: Bytes | readonly Bytes[] | undefined): Buffer[] {
  return listOf(pem).flatMap((text) =>
    [...toText(text).matchAll(CERTIFICATE)].map(([, base64]) => Buffer.from(base64!, 'base64')),
  );
}

/** As {@link certificatesOf}, each text's by themselves: a certificate and those that vouch for it. */
export function chainsOf({ cert }: GevTlsIdentityOptions): Buffer[][] {
  return listOf(cert).map((text) => certificatesOf(text));
}

/** The private keys, as PKCS #8 without a passphrase. */
export function keysOf({ key, passphrase }: GevTlsIdentityOptions): Buffer[] {
  return listOf(key).map((each) => {
    const own = isObjectWith(each, 'pem') ? each : { pem: each, passphrase: undefined };
    const secret = own.passphrase ?? passphrase;
    const parsed = createPrivateKey({
      key: toText(own.pem),
      ...(secret !== undefined && { passphrase: secret }),
    });
    return parsed.export({ format: 'der', type: 'pkcs8' });
  });
}

/** Files of keys and certificates, with their passphrases. */
export function pfxOf({
  pfx,
  passphrase = '',
}: GevTlsIdentityOptions): { bytes: Buffer; passphrase: string }[] {
  return listOf(pfx).map((each) => {
    const own = isObjectWith(each, 'buf') ? each : { buf: each, passphrase: undefined };
    return { bytes: Buffer.from(own.buf as Uint8Array), passphrase: own.passphrase ?? passphrase };
  });
}

/** Those whom Node trusts where nobody says whom. */
export const defaultAuthorities = once((): Buffer[] => {
  const known = (tls as { getCACertificates?: (kind: 'default') => string[] }).getCACertificates;
  return certificatesOf(known?.('default') ?? [...tls.rootCertificates, ...extraAuthorities()]);
});

/** A file that cannot be read Node warns of. */
function extraAuthorities(): string[] {
  const file = process.env.NODE_EXTRA_CA_CERTS;
  if (!file) return [];
  try {
    return [readFileSync(file, 'utf8')];
  } catch {
    return [];
  }
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

function listOf<Value>(value: Value | readonly Value[] | undefined): readonly Value[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? (value as readonly Value[]) : [value as Value];
}

function toText(bytes: Bytes): string {
  return typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('latin1');
}

function isObjectWith<Name extends string>(
  value: unknown,
  name: Name,
): value is Record<Name, Bytes> & { readonly passphrase?: string } {
  return typeof value === 'object' && value !== null && name in value;
}
