/** `nestjs-gev/core`: the reactor and what it takes and gives, without Nest. */
export type { GevCodec, GevFraming } from '../protocol/codec.js';
export { nestJson, type NestJsonOptions } from '../protocol/nest-json/nest-json.js';
export { raw, type RawOptions } from '../protocol/raw.js';
export type { GevAddress, GevNetworkAddress, GevPathAddress } from './address.js';
export type { CloseReason } from './close-reason.js';
export {
  GevConnection,
  type GevConnectionState,
  type GevReceivers,
  type SendCallback,
} from './connection.js';
export type { GevData } from './data.js';
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
export type { GevEngine, GevIdleOn, GevKeepAliveOptions, GevLoadBalance, ReactorOptions } from './options.js';
export {
  Reactor,
  type DialTarget,
  type ReactorHandler,
  type ReactorStats,
  type ReactorTimerHandle,
  type ReactorTurns,
} from './reactor.js';
