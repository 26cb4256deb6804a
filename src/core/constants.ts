/**
 * The transport id of every gev server and of every handler that only a gev server may take:
 * `@MessagePattern('sum', GEV_TRANSPORT)`.
 */
export const GEV_TRANSPORT = Symbol.for('GEV');

/** Defaults of {@link GevServerOptions}; sizes in bytes, times in milliseconds. */
export const DEFAULT_HOST = 'localhost';
export const DEFAULT_PORT = 3000;
export const DEFAULT_BACKLOG = 4096;
export const DEFAULT_HIGH_WATER_MARK = 1024 * 1024;
export const DEFAULT_MAX_SEND_BUFFER = 64 * 1024 * 1024;
export const DEFAULT_CLOSE_TIMEOUT = 5_000;
export const DEFAULT_HALF_CLOSE_TIMEOUT = 30_000;
export const DEFAULT_HANDSHAKE_TIMEOUT = 10_000;
export const DEFAULT_DRAIN_TIMEOUT = 10_000;
export const DEFAULT_STREAM_DRAIN_TIMEOUT = 1_000;
export const DEFAULT_MAX_FRAME_LENGTH = 64 * 1024 * 1024;
export const DEFAULT_INCOMPLETE_FRAME_TIMEOUT = 30_000;
export const DEFAULT_OVERFLOW_LIMIT = 1024;
export const DEFAULT_REQUEST_TIMEOUT = 5_000;

/** The longest delay of any timer or timeout: what fits a signed 32-bit integer, as for setTimeout. */
export const MAX_DELAY = 2 ** 31 - 1;

/** The longest frame: what fits a length of ten digits and V8's longest string. */
export const MAX_FRAME_LENGTH = 512 * 1024 * 1024;
