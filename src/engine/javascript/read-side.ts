import type { Socket } from 'node:net';
import { constants } from 'node:os';
import type { EngineFraming } from '../engine-options.js';
import { NO_BEGINNING } from '../inbound-listener.js';
import type { Framer } from './framers/framer.js';
import { makeFramer } from './framers/make-framer.js';

const { EBADMSG, EMSGSIZE, EPROTONOSUPPORT } = constants.errno;
/** Bytes read at most of a peer when the engine stops reading. */
const FINAL_READ_BUDGET = 1024 * 1024;

/** Where messages go. */
export interface MessageSink {
  /** Whether messages may be read. If not, {@link ReadSide.goOn} is called when they may. */
  takesMessages(reader: ReadSide): boolean;
  onMessage(slot: number, generation: number, data: Buffer): void;
  /** `bytes`: those of the text on the wire. */
  onText(slot: number, generation: number, text: string, bytes: number): void;
}

/** What else a {@link ReadSide} tells. */
export interface ReadSideOwner {
  readonly slot: number;
  readonly generation: number;
  /** Something has come that is wanted. */
  onActivity(): void;
  /** Something has come that is not. */
  onDiscarded(): void;
  /** FIN lies behind what nobody has wanted so far, or some of that was taken. */
  onEndHeld(): void;
  /** The peer says no more. */
  onEndOfInput(): void;
  /** What came is no message; `badFrame`: as {@link InboundListener.onClose} has it. */
  onBadInput(errno: number, badFrame: number): void;
  /** It keeps another number of bytes of an incomplete frame than before. `begun`: of a frame that began just now. */
  onKept(change: number, begun: boolean): void;
}

/**
 * - `open`: what comes is handed over
 * - `discarding`: what comes is read and dropped, to hear of the peer's end
 * - `stopped`: nothing is read
 * - `closed`: with its connection
 */
type State = 'open' | 'discarding' | 'stopped' | 'closed';

/** What comes from one peer, until it is handed over as messages. */
export class ReadSide {
  /** Whether the peer's FIN has come: `held` behind what nobody has wanted so far. */
  end: 'none' | 'held' | 'seen' = 'none';
  /** Of an incomplete frame, in bytes or the code units that came. */
  kept = 0;
  private state: State = 'open';
  private readonly framer: Framer | undefined;
  private held: Buffer[] = []; // read while nobody wanted it
  private throttled = false; // until the peer has taken what waits for it
  private limit = Infinity; // of `received`

  constructor(
    private readonly owner: ReadSideOwner,
    private readonly sink: MessageSink,
    private readonly socket: Socket,
    framing: EngineFraming,
    private paused: boolean, // by the application
  ) {
    this.framer = makeFramer(framing);
    socket.on('data', (chunk: Buffer) => this.onData(chunk));
    socket.on('end', () => this.onEndOfInput());
  }

  get received(): number {
    return this.socket.bytesRead;
  }

  get isPaused(): boolean {
    return this.paused;
  }

  /** Messages wait for the application, or for those of others. */
  get holdsMessages(): boolean {
    return this.held.length > 0 && !this.throttled;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.goOn();
  }

  throttle(throttled: boolean): void {
    this.throttled = throttled;
    if (!throttled) this.goOn();
  }

  /** Reads what may be read by now. */
  goOn(): void {
    if (this.isClosed) return;
    if (!this.mayTake && !this.discards) return; // onData pauses when it has one chunk
    while (this.held.length > 0 && this.mayTake && this.sink.takesMessages(this))
      this.take(this.held.shift()!);
    if (this.isClosed || this.held.length > 0) return;
    if (this.end === 'held') this.onEndOfInput();
    if (this.mayRead || this.discards) this.socket.resume();
  }

  /** From now on what comes is read and dropped. */
  discard(): void {
    if (this.isClosed) return;
    this.state = 'discarding';
    this.held = [];
    this.dropFrame();
    this.goOn();
  }

  /** What has come already is read, up to a limit. */
  beginFinalRead(): void {
    this.limit = this.received + FINAL_READ_BUDGET;
  }

  /** Nothing more is read, though the peer goes on, nor is what nobody has wanted so far handed over. */
  stop(): void {
    if (this.state !== 'open') return;
    this.state = 'stopped';
    this.held = [];
    this.socket.pause();
  }

  close(): void {
    this.dropFrame();
    this.held = [];
    this.state = 'closed';
  }

  /** Getters: TypeScript believes that what it knows of `state` still holds behind a call. */
  private get isClosed(): boolean {
    return this.state === 'closed';
  }

  private get discards(): boolean {
    return this.state === 'discarding';
  }

  /** What was read may be handed over. */
  private get mayTake(): boolean {
    return this.state === 'open' && !this.paused && !this.throttled;
  }

  private get mayRead(): boolean {
    return this.mayTake && this.received < this.limit;
  }

  private onData(chunk: Buffer): void {
    if (this.state !== 'open') {
      this.owner.onDiscarded();
      return;
    }
    if (this.paused || this.mayRead) this.owner.onActivity();
    if (!this.mayRead || !this.sink.takesMessages(this)) {
      // One chunk: whoever sends FIN or a reset behind nothing is heard although nobody reads.
      this.held.push(chunk);
      this.socket.pause();
      return;
    }
    this.take(chunk);
  }

  private take(chunk: Buffer): void {
    if (this.end === 'held') this.owner.onEndHeld();
    if (this.framer === undefined) {
      this.sink.onMessage(this.owner.slot, this.owner.generation, chunk);
      return;
    }
    const hadBegun = this.framer.kept > 0;
    this.framer.push(chunk);
    this.takeFrames(this.framer, hadBegun, chunk);
  }

  private takeFrames(framer: Framer, hadBegun: boolean, chunk: Buffer): void {
    const { slot, generation } = this.owner;
    let begun = !hadBegun;
    for (;;) {
      const frame = framer.next();
      if (frame === 'incomplete') break;
      if (frame === 'invalid') {
        this.onNoFrame(chunk, 0);
        return;
      }
      if ('text' in frame) this.sink.onText(slot, generation, frame.text, frame.bytes);
      else if ('data' in frame) this.sink.onMessage(slot, generation, frame.data);
      else {
        if ('tooLong' in frame) this.owner.onBadInput(EMSGSIZE, Math.min(frame.tooLong, 0xffff_ffff));
        else this.onNoFrame(chunk, NO_BEGINNING + Math.min(frame.noBeginning, 0xff));
        return;
      }
      begun = true;
      if (this.state !== 'open') return;
    }
    this.keep(framer.kept, begun);
  }

  private onNoFrame(chunk: Buffer, detail: number): void {
    const isFirst = this.received === chunk.length;
    if (isFirst && looksLikeTls(chunk)) this.owner.onBadInput(EPROTONOSUPPORT, 0);
    else this.owner.onBadInput(EBADMSG, detail);
  }

  private keep(kept: number, begun: boolean): void {
    if (kept === 0 && this.kept === 0) return;
    const change = kept - this.kept;
    this.kept = kept;
    this.owner.onKept(change, begun);
  }

  private dropFrame(): void {
    this.framer?.clear();
    this.keep(0, false);
  }

  private onEndOfInput(): void {
    if (this.isClosed) return;
    if (this.held.length > 0) {
      this.end = 'held';
      this.owner.onEndHeld();
      return;
    }
    this.end = 'seen';
    this.dropFrame();
    this.owner.onEndOfInput();
  }
}

/** Whether a peer that begins with these bytes speaks TLS. */
function looksLikeTls(begin: Buffer): boolean {
  return begin[0] === 0x16 && begin[1] === 0x03;
}
