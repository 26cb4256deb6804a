/** Requests remembered until the server has introduced itself; one that never does must not cost memory without end. */
const MAX_HELD = 1024;

/**
 * Tells the server of one connection which replies nobody waits for any more, if it can be told: Nest's own server would
 * log an event it does not know as an error. What is given up before the server has said what it understands is told then.
 */
export class Cancellation {
  private readonly held = new Set<number>();
  private told: (() => void)[] = [];

  /**
   * @param supported whether the server can be told; undefined: not known yet
   * @param tell sends word that nobody waits for the replies to this request any more
   */
  constructor(
    private supported: boolean | undefined,
    private readonly tell: (id: number) => void,
  ) {}

  /** Nobody waits for the replies to this request any more. */
  cancel(id: number): void {
    if (this.supported === true) this.tell(id);
    else if (this.supported === undefined && this.held.size < MAX_HELD) this.held.add(id);
  }

  /** Resolves when all that was given up has been told, or the server cannot be told; undefined: it has, or cannot. */
  settled(): Promise<void> | undefined {
    return this.held.size === 0 ? undefined : new Promise((resolve) => this.told.push(resolve));
  }

  /** The server is done with a request. */
  done(id: number): void {
    if (this.held.delete(id) && this.held.size === 0) this.release();
  }

  /** The server has said whether it can be told. */
  answered(supported: boolean): void {
    this.supported = supported;
    if (supported) for (const id of this.held) this.tell(id);
    this.held.clear();
    this.release();
  }

  private release(): void {
    for (const told of this.told.splice(0)) told();
  }
}
