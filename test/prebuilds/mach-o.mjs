// What a 64-bit Mach-O file says of itself, as far as the prebuilt addons need it.
import { createHash } from 'node:crypto';

const ARCHITECTURES = { 0x01000007: 'x64', 0x0100000c: 'arm64' };
const MAGIC = 0xfeedfacf;
const LC_SYMTAB = 0x2;
const LC_LOAD_DYLIB = 0xc;
const LC_VERSION_MIN_MACOSX = 0x24;
const LC_CODE_SIGNATURE = 0x1d;
const LC_BUILD_VERSION = 0x32;
const N_STAB = 0xe0;
const N_EXT = 0x01;
const N_PEXT = 0x10;
const N_TYPE = 0x0e;
const CODE_DIRECTORY = 0xfade0c02;

/**
 * @param {Buffer} bytes
 * @returns {{ arch: string, libraries: string[], needed: string[], exported: string[], locals: number, minimum: string,
 *   signature: 'none' | 'valid' | 'broken' }} `minimum`: the oldest macOS it runs on
 */
export function readMachO(bytes) {
  if (bytes.readUInt32LE(0) !== MAGIC) throw new Error('This is no Mach-O file of 64 bits');
  const commands = [];
  for (let i = 0, at = 32; i < bytes.readUInt32LE(16); i++) {
    commands.push({ type: bytes.readUInt32LE(at) & 0x7fffffff, at });
    at += bytes.readUInt32LE(at + 4);
  }
  const command = (type) => commands.find((each) => each.type === type)?.at;
  const symbols = readSymbols(bytes, command(LC_SYMTAB));
  const signature = command(LC_CODE_SIGNATURE);
  const [build, older] = [command(LC_BUILD_VERSION), command(LC_VERSION_MIN_MACOSX)];
  const minimum = bytes.readUInt32LE(build === undefined ? older + 8 : build + 12);
  return {
    arch: ARCHITECTURES[bytes.readUInt32LE(4)],
    libraries: commands
      .filter(({ type }) => type === LC_LOAD_DYLIB)
      .map(({ at }) => cString(bytes, at + bytes.readUInt32LE(at + 8))),
    needed: symbols.filter(({ external, type }) => external && type === 0).map(({ name }) => name),
    exported: symbols.filter(({ external, type }) => external && type !== 0).map(({ name }) => name),
    locals: symbols.filter(({ external }) => !external).length,
    minimum: `${minimum >> 16}.${(minimum >> 8) & 0xff}`,
    signature: signature === undefined ? 'none' : checkSignature(bytes, bytes.readUInt32LE(signature + 8)),
  };
}

function readSymbols(bytes, at) {
  const [offset, count, strings] = [8, 12, 16].map((field) => bytes.readUInt32LE(at + field));
  return Array.from({ length: count }, (_, i) => offset + 16 * i)
    .map((entry) => ({
      name: cString(bytes, strings + bytes.readUInt32LE(entry)),
      stab: (bytes[entry + 4] & N_STAB) !== 0,
      external: (bytes[entry + 4] & (N_EXT | N_PEXT)) === N_EXT,
      type: bytes[entry + 4] & N_TYPE,
    }))
    .filter(({ stab }) => !stab);
}

/** Compares each page of the file with its hash in the signature, as the kernel of an ARM Mac does before it maps one. */
function checkSignature(bytes, superBlob) {
  for (let i = 0; i < bytes.readUInt32BE(superBlob + 8); i++) {
    const directory = superBlob + bytes.readUInt32BE(superBlob + 16 + 8 * i);
    if (bytes.readUInt32BE(directory) !== CODE_DIRECTORY) continue;
    const [hashes, , , pages, limit] = [16, 20, 24, 28, 32].map((field) =>
      bytes.readUInt32BE(directory + field),
    );
    const [hashSize, pageSize] = [bytes[directory + 36], 2 ** bytes[directory + 39]];
    const isWhole = Array.from({ length: pages }, (_, page) => page).every((page) => {
      const content = bytes.subarray(page * pageSize, Math.min((page + 1) * pageSize, limit));
      const expected = directory + hashes + page * hashSize;
      const hash = createHash('sha256').update(content).digest();
      return hash.equals(bytes.subarray(expected, expected + hashSize));
    });
    return isWhole && limit <= superBlob && pages === Math.ceil(limit / pageSize) ? 'valid' : 'broken';
  }
  return 'broken';
}

const cString = (bytes, from) => bytes.toString('latin1', from, bytes.indexOf(0, from));
