import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';

/** What shows one certificate: PEM. */
export interface Shown {
  readonly key: string;
  readonly cert: string;
}

/** By shell: OpenSSL writes files. An authority vouches for all but the stranger. */
const SCRIPT = `
  set -e
  ec="-newkey ec -pkeyopt ec_paramgen_curve:P-256"
  make() {
    openssl req $2 -nodes -keyout $1.key -subj "/CN=$1" -out $1.csr
    printf '%s\\n' "$3" > $1.ext
    openssl x509 -req -in $1.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile $1.ext -out $1.crt
  }
  openssl req -x509 $ec -nodes -keyout ca.key -subj /CN=authority -days 2 -out ca.crt
  make localhost "$ec" subjectAltName=DNS:localhost,IP:127.0.0.1
  make second "$ec" subjectAltName=DNS:localhost,IP:127.0.0.1
  make rsa "-newkey rsa:2048" subjectAltName=DNS:rsa.test
  make wild "$ec" subjectAltName=DNS:*.example.org
  make client "$ec" extendedKeyUsage=clientAuth
  openssl req -x509 $ec -nodes -keyout stranger.key -subj /CN=stranger -addext subjectAltName=DNS:localhost -days 2 -out stranger.crt
  openssl pkcs12 -export -inkey localhost.key -in localhost.crt -passout pass:secret -out localhost.pfx
  openssl ec -in localhost.key -aes128 -passout pass:secret -out locked.key
`;

const folder = mkdtempSync(join(tmpdir(), 'gev-tls-'));
execFileSync('sh', ['-c', SCRIPT], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Keys and certificates, made for each test file by the command line of OpenSSL. */
export const certificates = {
  ca: read('ca.crt'),
  localhost: shown('localhost'),
  /** Another one for the same name. */
  second: shown('second'),
  rsa: shown('rsa'),
  wild: shown('wild'),
  client: shown('client'),
  /** Nobody vouches for it. */
  stranger: shown('stranger'),
  pfx: readFileSync(join(folder, 'localhost.pfx')),
  /** The key of localhost, behind the passphrase `secret`. */
  lockedKey: read('locked.key'),
  passphrase: 'secret',
  /** The path of a file of theirs. */
  path: (name: string): string => join(folder, name),
};

function read(name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}

function shown(name: string): Shown {
  return { key: read(`${name}.key`), cert: read(`${name}.crt`) };
}
