import { ByteReader } from 'nestjs-gev';

/** Where a device was. */
export interface Position {
  /** ISO 8601, UTC. */
  readonly time: string;
  /** Degrees; negative ones are south and west. */
  readonly latitude: number;
  readonly longitude: number;
  /** km/h */
  readonly speed: number;
  /** Degrees, clockwise from north. */
  readonly course: number;
  readonly satellites: number;
  /** The satellites told it; false: it is the last place that they did. */
  readonly fixed: boolean;
}

/** How a device is. */
export interface Status {
  readonly ignition: boolean;
  readonly charging: boolean;
  /** 0, none, to 6, full. */
  readonly battery: number;
  /** 0, none, to 4. */
  readonly signal: number;
}

/** A device's word to a command: which, and what it says. */
export interface Acknowledgement {
  readonly command: number;
  readonly text: string;
}

/** Degrees of latitude and longitude are told in so many parts. */
const PARTS_OF_DEGREE = 60 * 30_000;

/** The IMEI of a login: 15 digits, two of them a byte, behind a zero. */
export function readImei(content: Buffer): string {
  const digits = new ByteReader(content).bytes(8).toString('hex');
  if (!/^0\d{15}$/.test(digits)) throw new Error(`${digits} is no IMEI`);
  return digits.slice(1);
}

/** What position messages of all kinds begin with. */
export function readPosition(content: Buffer): Position {
  const fields = new ByteReader(content);
  const [year, month, day, hours, minutes, seconds] = fields.bytes(6);
  const satellites = fields.uint(1) & 0x0f; // the other half is a length
  const latitude = fields.uint(4) / PARTS_OF_DEGREE;
  const longitude = fields.uint(4) / PARTS_OF_DEGREE;
  const speed = fields.uint(1);
  const flags = fields.uint(2);
  const time = new Date(Date.UTC(2000 + year!, month! - 1, day, hours, minutes, seconds));
  return {
    time: time.toISOString(),
    latitude: flags & 0x0400 ? latitude : -latitude,
    longitude: flags & 0x0800 ? -longitude : longitude,
    speed,
    course: flags & 0x03ff,
    satellites,
    fixed: (flags & 0x1000) !== 0,
  };
}

export function readStatus(content: Buffer): Status {
  const fields = new ByteReader(content);
  const flags = fields.uint(1);
  return {
    ignition: (flags & 0x02) !== 0,
    charging: (flags & 0x04) !== 0,
    battery: fields.uint(1),
    signal: fields.uint(1),
  };
}

const UTF_16 = 2;

/** Behind a length comes what the command was known by, and the text; two bytes that tell its language may follow. */
export function readAcknowledgement(content: Buffer): Acknowledgement {
  const fields = new ByteReader(content);
  const length = fields.uint(1);
  const command = fields.uint(4);
  if (length < 4) throw new Error('an acknowledgement says of what it is one');
  return { command, text: fields.text(length - 4, 'latin1') };
}

/** One that may be longer, all to its end. */
export function readLongAcknowledgement(content: Buffer): Acknowledgement {
  const fields = new ByteReader(content);
  const command = fields.uint(4);
  const isUtf16 = fields.uint(1) === UTF_16;
  const text = fields.bytes(fields.remaining);
  if (!isUtf16) return { command, text: text.toString('latin1') };
  if (text.length % 2 !== 0) throw new Error('half a character of UTF-16');
  return { command, text: Buffer.from(text).swap16().toString('utf16le') };
}

/** What a device is to do: ASCII, and a number that its acknowledgement repeats. */
export function writeCommand(text: string, command: number): Buffer {
  const content = Buffer.alloc(5 + text.length);
  content.writeUInt8(4 + text.length);
  content.writeUInt32BE(command, 1);
  content.write(text, 5, 'latin1');
  return content;
}
