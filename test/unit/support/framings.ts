import { AddressRanges } from '../../../src/engine/address-ranges.js';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type EngineFraming, type EngineOptions, FramingKind } from '../../../src/engine/engine-options.js';
import { onCleanup } from '../../kit/cleanup.js';

export const MAX = 1_000_000;
/** Framings that an engine is asked for. */
export const RAW: EngineFraming = { kind: FramingKind.raw, maxFrameLength: MAX };
export const LINES: EngineFraming = {
  kind: FramingKind.delimited,
  maxFrameLength: MAX,
  text: true,
  delimiter: Buffer.from('\n'),
  stripCarriageReturn: true,
};
export const LENGTHS: EngineFraming = {
  kind: FramingKind['length-field'],
  maxFrameLength: MAX,
  lengthField: { size: 2, littleEndian: false, offset: 0, adjustment: 0, includesHeader: false, strip: -1 },
};

export const ENGINE_OPTIONS: Omit<EngineOptions, 'loops' | 'framing'> = {
  loadBalance: 0,
  maxConnections: 0,
  maxConnectionsPerAddress: 0,
  acceptRate: 0,
  acceptRatePerAddress: 0,
  access: { allow: undefined, deny: new AddressRanges([]) },
  backlog: 128,
  reusePort: false,
  ipv6Only: false,
  noDelay: true,
  keepAliveDelay: 0,
  keepAliveInterval: 0,
  keepAliveCount: 0,
  userTimeout: 0,
  receiveBufferSize: 0,
  sendBufferSize: 0,
  highWaterMark: MAX,
  lowWaterMark: MAX / 4,
  maxSendBuffer: 64 * MAX,
  idleTimeout: 0,
  idleOnReceived: false,
  handshakeTimeout: 0,
  closeTimeout: 5000,
  halfCloseTimeout: 5000,
  incompleteFrameTimeout: 0,
  maxPartialBytes: 64 * MAX,
  maxTotalSendBuffer: 64 * MAX,
  startPaused: false,
  dialTls: undefined,
  patterns: [],
};

/** A peer, and what it has been sent. */
export async function dial(port: number): Promise<{ socket: Socket; text: () => string }> {
  const socket = connect(port, '127.0.0.1');
  onCleanup(() => socket.destroy());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await once(socket, 'connect');
  return { socket, text: () => Buffer.concat(chunks).toString('latin1') };
}
