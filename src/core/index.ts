/** `nestjs-gev/core`: the reactor and what it takes and gives, without Nest. */
export { ByteReader, type GevEndian } from '../protocol/byte-reader.js';
export type { GevCodec } from '../protocol/codec.js';
export { custom, type CustomOptions } from '../protocol/custom.js';
export type {
  CustomFraming,
  DelimitedFraming,
  GevFramer,
  GevFraming,
  LengthFieldFraming,
  NestTcpFraming,
  RawFraming,
} from '../protocol/framing.js';
export { lengthField, type LengthFieldOptions } from '../protocol/length-field.js';
export { delimited, type DelimitedOptions, line, type LineOptions } from '../protocol/line.js';
export { nestJson, type NestJsonOptions } from '../protocol/nest-json/nest-json.js';
export type { GevAnswer, GevPacket, GevPacketFormat, GevReply } from '../protocol/packet-format.js';
export type { GevPacketNotation } from '../protocol/packet-notation.js';
export { raw, type RawOptions } from '../protocol/raw.js';
export type { GevAddress, GevListener, GevNetworkAddress, GevPathAddress } from './address.js';
export {
  GevAbortedError,
  GevConnectionLostError,
  GevOverloadedError,
  GevRemoteError,
  GevTimeoutError,
  type GevRemoteErrorDetails,
} from './client-errors.js';
export type { CloseReason } from './close-reason.js';
export {
  GevConnection,
  type GevConnectionState,
  type GevReceivers,
  type SendCallback,
} from './connection.js';
export { GevIdentityInUseError } from './identities.js';
export type { GevData } from './data.js';
export type { GevTls } from './tls/connection-tls.js';
export type {
  GevClientTlsOptions,
  GevTlsIdentityOptions,
  GevTlsNameOptions,
  GevTlsOptions,
} from './tls/tls-options.js';
export type { GevAccess } from './access.js';
export type { GevProxyInfo, GevProxyProtocol } from './proxy.js';
export { GevRefusedError } from './refused-error.js';
export type { GevRefusal } from '../engine/refusals.js';
export {
  GevAlreadyListeningError,
  GevBackpressureError,
  GevConnectError,
  GevConnectionClosedError,
  GevConnectionError,
  GevError,
  GevFrameTooLongError,
  GevHandlerError,
  GevListenError,
  GevNativeError,
  GevNotListeningError,
  GevOptionsError,
  GevProtocolError,
  GevTimerError,
  type GevConnectTarget,
  type GevErrorDetails,
  type GevListenTarget,
} from './errors.js';
export type {
  GevConnectionBalance,
  GevEngine,
  GevIdleOn,
  GevKeepAliveOptions,
  ReactorOptions,
} from './options.js';
export type { GevRequestOptions } from './request-options.js';
export type { ReactorStats } from './reactor-stats.js';
export {
  Reactor,
  type DialTarget,
  type ReactorHandler,
  type ReactorTimerHandle,
  type ReactorTurns,
} from './reactor.js';
