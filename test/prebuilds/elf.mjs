// What a 64-bit little-endian ELF file says of itself, as far as the prebuilt addons need it.
const MACHINES = { 62: 'x64', 183: 'arm64' };
const SHT_DYNAMIC = 6;
const SHT_DYNSYM = 11;
const SHT_SYMTAB = 2;
const SHT_GNU_VERNEED = 0x6ffffffe;
const SHT_GNU_VERSYM = 0x6fffffff;
const PT_TLS = 7;
const DT_NEEDED = 1;
const UNDEFINED = 0;
const WEAK = 2;

/**
 * @param {Buffer} bytes
 * @returns {{ arch: string, libraries: string[], needed: { name: string, version?: string }[], exported: string[],
 *   hasThreadLocals: boolean, isStripped: boolean }} `needed`: symbols it needs and cannot do without
 */
export function readElf(bytes) {
  if (bytes.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') throw new Error('This is no ELF file of 64 bits');
  const sections = table(bytes, Number(bytes.readBigUInt64LE(40)), bytes.readUInt16LE(60), 64, (at) => ({
    type: bytes.readUInt32LE(at + 4),
    offset: Number(bytes.readBigUInt64LE(at + 24)),
    size: Number(bytes.readBigUInt64LE(at + 32)),
    link: bytes.readUInt32LE(at + 40),
    info: bytes.readUInt32LE(at + 44),
  }));
  const segments = table(bytes, Number(bytes.readBigUInt64LE(32)), bytes.readUInt16LE(56), 56, (at) =>
    bytes.readUInt32LE(at),
  );
  const section = (type) => sections.find((each) => each.type === type);
  const strings = sections[section(SHT_DYNSYM).link];
  const text = (offset) => cString(bytes, strings.offset + offset);

  const { offset, size } = section(SHT_DYNSYM);
  const versions = versionNames(bytes, section(SHT_GNU_VERNEED), text);
  const versionIndexes = section(SHT_GNU_VERSYM);
  const symbols = table(bytes, offset, size / 24, 24, (at, i) => ({
    name: text(bytes.readUInt32LE(at)),
    binding: bytes[at + 4] >> 4,
    section: bytes.readUInt16LE(at + 6),
    version: versionIndexes && versions.get(bytes.readUInt16LE(versionIndexes.offset + 2 * i)),
  })).slice(1);
  const dynamic = section(SHT_DYNAMIC);
  return {
    arch: MACHINES[bytes.readUInt16LE(18)],
    libraries: table(bytes, dynamic.offset, dynamic.size / 16, 16, (at) => [
      Number(bytes.readBigInt64LE(at)),
      Number(bytes.readBigUInt64LE(at + 8)),
    ])
      .filter(([tag]) => tag === DT_NEEDED)
      .map(([, value]) => text(value)),
    needed: symbols
      .filter((symbol) => symbol.section === UNDEFINED && symbol.binding !== WEAK)
      .map(({ name, version }) => ({ name, version })),
    exported: symbols.filter((symbol) => symbol.section !== UNDEFINED).map(({ name }) => name),
    hasThreadLocals: segments.includes(PT_TLS),
    isStripped: section(SHT_SYMTAB) === undefined,
  };
}

/** The names of symbol versions, `GLIBC_2.17` and so on, by their index. */
function versionNames(bytes, section, text) {
  const names = new Map();
  if (section === undefined) return names;
  let at = section.offset;
  for (let i = 0; i < section.info; i++) {
    let auxiliary = at + bytes.readUInt32LE(at + 8);
    for (let j = 0; j < bytes.readUInt16LE(at + 2); j++) {
      names.set(bytes.readUInt16LE(auxiliary + 6), text(bytes.readUInt32LE(auxiliary + 8)));
      auxiliary += bytes.readUInt32LE(auxiliary + 12);
    }
    at += bytes.readUInt32LE(at + 12);
  }
  return names;
}

const table = (bytes, offset, count, size, read) =>
  Array.from({ length: count }, (_, i) => read(offset + i * size, i));

const cString = (bytes, from) => bytes.toString('latin1', from, bytes.indexOf(0, from));
