/** So many greeted connections in a row may end without an answer, before one is made that is not. */
const MAX_UNANSWERED = 2;
/** The same where others have been asked to end: it may be that the server ends. */
const MAX_UNANSWERED_IN_DOUBT = 5;

/**
 * How far a new connection to an endpoint is to be trusted. A server that stops takes with it what its system has accepted
 * and nobody has looked at; and one that hangs up on whoever greets it is not to be greeted.
 */
export class Admittance {
  private departing = false;
  private unanswered = 0; // greeted connections in a row that have ended without a byte received

  /** The server has asked a connection to end, and nobody has answered on one made since. */
  get doubted(): boolean {
    return this.departing;
  }

  /**
   * A connection was made.
   *
   * - `bare`: use it, and do not greet the server
   * - `awaited`: use it once the server has answered
   * - `trusted`: use it at once
   *
   * @param leaving others wait for their last replies because the server wants them to end
   */
  next(leaving: boolean): 'bare' | 'awaited' | 'trusted' {
    if (this.unanswered >= (this.departing ? MAX_UNANSWERED_IN_DOUBT : MAX_UNANSWERED)) {
      this.departing = false;
      this.unanswered = 1; // the next one is greeted again, and not relied upon before it is answered
      return 'bare';
    }
    return this.departing || this.unanswered > 0 || leaving ? 'awaited' : 'trusted';
  }

  /** Somebody has answered. */
  answered(leaving: boolean): void {
    this.unanswered = 0;
    if (!leaving) this.departing = false;
  }

  /** The server asks a connection to end; false: it had asked before. */
  askedToGo(anew: boolean): void {
    this.unanswered = 0;
    if (anew) this.departing = true;
  }

  /** A connection has ended on which the server was greeted and nothing was received. */
  hungUp(): void {
    this.unanswered++;
  }
}
