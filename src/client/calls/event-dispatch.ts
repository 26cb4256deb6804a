import { type GevAbortedError, GevTimeoutError } from '../../core/client-errors.js';
import { isThenable } from '../../core/values.js';
import type { GevRecordOptions } from '../gev.record.js';
import type { Link } from '../pool/link.js';
import { Outgoing, type OutgoingSetup } from './outgoing.js';
import type { PacketContent } from './serialization.js';
import { type Session, sessionOf } from './session.js';

/** One event on its way. */
export class EventDispatch extends Outgoing {
  /**
   * @param pattern as it goes on the wire
   * @param settle told once: without an error when the kernel has taken the event
   */
  constructor(
    setup: OutgoingSetup,
    pattern: unknown,
    data: unknown,
    options: GevRecordOptions | undefined,
    private readonly settle: (error?: Error) => void,
  ) {
    super(setup, pattern, data, options);
    this.begin();
  }

  override take(link: Link): void {
    if (this.settled) return;
    const session = sessionOf(link);
    this.setup.deadlines.remove(this);
    try {
      const { packets } = this.setup;
      const content = packets.write(this.pattern, this.data, undefined, this.setup.metadataOf(this));
      if (!isThenable(content)) this.send(session, content);
      else
        content
          .then((ready) => this.sendLater(session, ready))
          .then(undefined, (error: unknown) => this.end(error));
    } catch (error) {
      this.end(error);
    }
  }

  override fail(error: unknown): void {
    this.setup.deadlines.remove(this);
    this.end(error);
  }

  override expire(): void {
    this.offlineQueue?.leave(this);
    this.end(new GevTimeoutError(this.pattern, this.timeout, 'connection for'));
  }

  /** Until it is sent, its signal withdraws it. */
  protected override abort(error: GevAbortedError): void {
    this.offlineQueue?.leave(this);
    this.fail(error);
  }

  private sendLater(session: Session, content: PacketContent): void {
    if (this.settled) return; // aborted while its packet was made
    if (session.usable) this.send(session, content);
    else this.sendElsewhere();
  }

  /** While its packet was made, the connection has closed, or was asked to. */
  private sendElsewhere(): void {
    this.setup.deadlines.add(this, this.timeout);
    this.runInAsyncScope(() => this.setup.assign(this));
  }

  private send(session: Session, content: PacketContent): void {
    this.release?.();
    this.release = undefined;
    session.sendEvent(content, (error) => {
      session.eventTaken();
      this.end(error);
      session.checkIdle();
    });
  }

  private end(error?: unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.release?.();
    this.setup.hold.down();
    this.runInAsyncScope(this.settle, undefined, error);
  }
}
