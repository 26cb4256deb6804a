/** Who keeps an incomplete frame. */
export interface FrameKeeper {
  /** How much of it; 0: none. */
  readonly kept: number;
  /** It takes too much of what all may. */
  giveUpFrame(): void;
}

/** The incomplete frames of all connections. What they keep is bounded: above that, the one that has it longest is given up. */
export class PartialFrames {
  private kept = 0; // code units
  /** In the order in which their frames began. */
  private readonly keepers = new Set<FrameKeeper>();

  constructor(private readonly limit: number) {}

  /** `begun`: the frame began just now. */
  update(keeper: FrameKeeper, change: number, begun: boolean): void {
    this.kept += change;
    if (begun || keeper.kept === 0) this.keepers.delete(keeper);
    if (keeper.kept > 0) this.keepers.add(keeper);
    while (this.kept > this.limit) {
      const [oldest] = this.keepers;
      if (oldest === undefined) return;
      oldest.giveUpFrame();
    }
  }
}
