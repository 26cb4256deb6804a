import type { GevAddress, GevListener } from './address.js';
import { type ConnectionFraming, framingOf } from './connection-framing.js';
import type { FrameLimits } from './frame-limits.js';
import type { ResolvedListener } from './options.js';

/** A listener, and how its connections are framed. */
export class ReactorListener implements GevListener {
  readonly name: string | undefined;
  readonly codec: string;
  readonly framing: ConnectionFraming;
  address: GevAddress | null = null;

  constructor(
    readonly index: number,
    readonly options: Omit<ResolvedListener, 'concurrency'>,
    limits: FrameLimits,
  ) {
    this.name = options.name;
    this.codec = options.codec.name;
    this.framing = framingOf(options.codec, limits);
  }
}
