import type { AccessRules } from '../address-ranges.js';
import type { EngineTls } from '../engine-tls.js';
import type { EngineFraming, EngineProxy } from '../engine-options.js';
import type { NativeAccess, NativeBinding, NativeReactor } from './binding.js';
import type { InboundListener } from '../inbound-listener.js';
import { Inbound } from './inbound.js';
import { CONTROL_OPEN_SLAB, SLAB_SIZE } from './layout.js';
import { Outbound } from './outbound.js';
import { Pace } from '../pace.js';
import type { Engine, EngineSetup } from '../engine.js';
import type { LoopPort } from '../loop-port.js';
import type { EngineAddress, EngineStats } from '../engine.js';

const INBOUND_SLABS = 4;
const OUTBOUND_SLABS = 5; // one of them the staging slab

/** The memory one loop shares with JavaScript. */
interface LoopMemory {
  readonly inbound: readonly ArrayBuffer[];
  readonly outbound: readonly ArrayBuffer[];
}

/** The addon's loops, and the slabs through which they talk to JavaScript. */
export class NativeEngine implements Engine {
  readonly kind = 'native';
  readonly loopCount: number;
  private readonly control: Int32Array;
  private readonly memory: readonly LoopMemory[];
  private readonly native: NativeReactor;
  private readonly inbounds: Inbound[] = [];
  private readonly pace = new Pace();
  private flushScheduled = false;
  private stopped = false;

  constructor(
    { NativeReactor: Native }: NativeBinding,
    private readonly setup: EngineSetup,
  ) {
    this.loopCount = Math.max(setup.options.loops, 1);
    this.control = new Int32Array(CONTROL_OPEN_SLAB + this.loopCount);
    this.memory = Array.from({ length: this.loopCount }, () => ({
      inbound: slabs(INBOUND_SLABS),
      outbound: slabs(OUTBOUND_SLABS),
    }));
    const { pace, inbounds } = this;
    this.native = new Native(
      { ...setup.options, ...bytesOf(setup.options.access) },
      this.memory.flatMap(({ inbound }) => inbound),
      this.memory.flatMap(({ outbound }) => outbound),
      this.control.buffer as ArrayBuffer,
      (loop, slab, from, to, lastTook) => {
        const turns = setup.turns();
        pace.begin(lastTook);
        turns?.beginEvents(lastTook);
        const next = inbounds[loop]!.read(slab, from, to);
        return turns?.endEvents() === true ? ~next : next;
      },
    );
  }

  attach(loop: number, listener: InboundListener): LoopPort {
    const { native, control, pace } = this;
    const { delivery, longestFrame, turns } = this.setup;
    const { inbound, outbound } = this.memory[loop]!;
    this.inbounds[loop] = new Inbound(native, loop, inbound, listener, delivery, pace, turns() === undefined);
    return new Outbound(native, loop, outbound, control, () => this.scheduleFlush(), longestFrame);
  }

  listen(host: string, port: number, framing: EngineFraming, tls?: EngineTls): EngineAddress {
    return this.native.listen(host, port, framing, tls);
  }

  setTls(listener: number, tls: EngineTls): void {
    this.native.setTls(listener, tls);
  }

  expectProxy({ versions, trusted }: EngineProxy): void {
    this.native.expectProxy(versions, trusted.toBytes());
  }

  setAccess(rules: AccessRules): void {
    const { allow, deny } = bytesOf(rules);
    this.native.setAccess(allow, deny);
  }

  start(): void {
    this.native.start();
  }

  bytesWritten(loop: number, slot: number, generation: number): number {
    return this.native.bytesWritten(loop, slot, generation);
  }

  bytesReceived(loop: number, slot: number, generation: number): number {
    return this.native.bytesReceived(loop, slot, generation);
  }

  stats(): EngineStats {
    return this.native.stats();
  }

  hold(hold: boolean): void {
    this.native.hold(hold);
  }

  stop(): void {
    this.stopped = true;
    this.native.stop();
  }

  /** Hands over what was written outside of a batch, after the promise jobs and ticks of the current turn. */
  private scheduleFlush(): void {
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    queueMicrotask(() =>
      process.nextTick(() => {
        this.flushScheduled = false;
        if (!this.stopped) this.native.flush();
      }),
    );
  }
}

function bytesOf({ allow, deny }: AccessRules): NativeAccess {
  return { allow: allow?.toBytes(), deny: deny.toBytes() };
}

function slabs(count: number): ArrayBuffer[] {
  return Array.from({ length: count }, () => new ArrayBuffer(SLAB_SIZE));
}
