export type {
  GevClientEvents,
  GevClientInternals,
  GevClientStats,
  GevClientStatus,
  GevEndpointStats,
} from './client/gev.client.events.js';
export type {
  GevClientOptions,
  GevEjectionOptions,
  GevEndpoint,
  GevNetworkEndpoint,
  GevPathEndpoint,
  GevReconnectOptions,
  GevRequestBalance,
  GevResolvedEndpoint,
} from './client/gev.client.options.js';
export { gevClient, type GevClientProvider } from './client/gev-client.provider.js';
export { GevClient } from './client/gev.client.js';
export { GevRecord, GevRecordBuilder, type GevMetadata, type GevRecordOptions } from './client/gev.record.js';
export type { GevRetryOptions } from './client/calls/retry.js';
export { GevContext, type GevContextArgs } from './context/gev.context.js';
export { GevSocketRef, type GevSocketEvents } from './context/gev.socket-ref.js';
export type { GevAddress, GevListener, GevNetworkAddress, GevPathAddress } from './core/address.js';
export {
  GevAbortedError,
  GevClientClosedError,
  GevOverloadedError,
  GevCodecMismatchError,
  GevConnectionLostError,
  GevInvalidReplyError,
  GevNotConnectedError,
  GevRemoteError,
  GevTimeoutError,
  type GevRemoteErrorDetails,
} from './core/client-errors.js';
export type { CloseReason } from './core/close-reason.js';
export {
  GevConnection,
  type GevConnectionState,
  type GevReceivers,
  type SendCallback,
} from './core/connection.js';
export { GevIdentityInUseError } from './core/identities.js';
export { GEV_TRANSPORT } from './core/constants.js';
export {
  GevAlreadyListeningError,
  GevCallEndedError,
  type GevCallEnd,
  GevBackpressureError,
  GevConnectError,
  GevConnectionClosedError,
  GevConnectionError,
  GevFrameTooLongError,
  GevProtocolError,
  GevDuplicatePatternError,
  GevDuplicateTimerError,
  GevError,
  GevHandlerError,
  GevListenError,
  GevNativeError,
  GevNotListeningError,
  GevOptionsError,
  GevServerNameError,
  GevTimerError,
  type GevConnectTarget,
  type GevErrorDetails,
  type GevListenTarget,
} from './core/errors.js';
export type { GevAccess } from './core/access.js';
export type { GevProxyInfo, GevProxyProtocol } from './core/proxy.js';
export { GevMissingPackageError } from './core/missing-package-error.js';
export { GevRefusedError } from './core/refused-error.js';
export type { GevRefusal } from './engine/refusals.js';
export {
  errorCodec,
  type GevErrorClass,
  type GevErrorCodec,
  type GevErrorCodecOptions,
  type GevErrors,
} from './core/error-codec.js';
export type {
  GevConnectionBalance,
  GevDeserializer,
  GevEngine,
  GevIdleOn,
  GevKeepAliveOptions,
  GevLogger,
  GevOverflow,
  GevSerializer,
  GevServerOptions,
} from './core/options.js';
export type { GevListenerOptions } from './core/listener-options.js';
export type { GevRequestOptions } from './core/request-options.js';
export type { GevTls } from './core/tls/connection-tls.js';
export type {
  GevClientTlsOptions,
  GevTlsIdentityOptions,
  GevTlsNameOptions,
  GevTlsOptions,
} from './core/tls/tls-options.js';
export type { GevIntervalOptions, GevTimer, GevTimerOptions } from './core/timer.js';
export { InjectGevServer } from './decorators/inject-gev-server.decorator.js';
export { Conn } from './decorators/conn.decorator.js';
export { OnClose } from './decorators/on-close.decorator.js';
export { OnConnect } from './decorators/on-connect.decorator.js';
export { OnMessage } from './decorators/on-message.decorator.js';
export { Reason } from './decorators/reason.decorator.js';
export { RunAfter } from './decorators/run-after.decorator.js';
export { RunEvery } from './decorators/run-every.decorator.js';
export type {
  GevModuleAsyncOptions,
  GevModuleOptions,
  GevOptionsFactory,
} from './module/gev.module-definition.js';
export { GevModule } from './module/gev.module.js';
export { ByteReader, type GevEndian } from './protocol/byte-reader.js';
export type { GevCodec } from './protocol/codec.js';
export { custom, type CustomOptions } from './protocol/custom.js';
export type {
  CustomFraming,
  DelimitedFraming,
  GevFramer,
  GevFraming,
  LengthFieldFraming,
  NestTcpFraming,
  RawFraming,
} from './protocol/framing.js';
export { lengthField, type LengthFieldOptions } from './protocol/length-field.js';
export { delimited, type DelimitedOptions, line, type LineOptions } from './protocol/line.js';
export { nestJson, type NestJsonOptions } from './protocol/nest-json/nest-json.js';
export { nestPackets, type NestPacketsOptions } from './protocol/nest-packets.js';
export type { GevAnswer, GevPacket, GevPacketFormat, GevReply } from './protocol/packet-format.js';
export type { GevPacketNotation } from './protocol/packet-notation.js';
export { packets, type PacketsOptions } from './protocol/packets.js';
export { raw, type RawOptions } from './protocol/raw.js';
export type { GevServerEvents, GevServerStats, GevServerStatus } from './server/gev.server.events.js';
export { GevExceptionFilter } from './server/gev-exception.filter.js';
export { GevServerHandle } from './server/gev.server-handle.js';
export { GevServer } from './server/gev.server.js';
export { getGevServerToken } from './server/gev-servers.js';
export type { GevHandlerOptions } from './server/handlers/handler-extras.js';
export type { RunAfterOptions, RunEveryOptions } from './timers/gev-timer.interfaces.js';
export { GevTimerRegistry } from './timers/gev-timer.registry.js';
