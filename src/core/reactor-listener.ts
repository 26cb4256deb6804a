import type { GevAddress, GevListener } from './address.js';
import { type ConnectionFraming, framingOf } from './connection-framing.js';
import type { FrameLimits } from './frame-limits.js';
import type { ResolvedListener } from './listener-options.js';
import type { EngineTls } from '../engine/engine-tls.js';
import { resolveServerTls } from './tls/resolve-tls.js';

/** A listener, and how its connections are framed. */
export class ReactorListener implements GevListener {
  readonly name: string | undefined;
  readonly codec: string;
  readonly framing: ConnectionFraming;
  /** What it speaks it by; undefined: it speaks no TLS. */
  tls: EngineTls | undefined;
  address: GevAddress | null = null;

  constructor(
    readonly index: number,
    readonly options: Omit<ResolvedListener, 'concurrency'>,
    limits: FrameLimits,
  ) {
    this.name = options.name;
    this.codec = options.codec.name;
    this.framing = framingOf(options.codec, limits);
    this.tls = options.tlsOptions === false ? undefined : resolveServerTls(options.tlsOptions);
  }
}
