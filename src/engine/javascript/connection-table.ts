/** Connections by their slots. A slot is used again, with another generation: both together name one for ever. */
export class ConnectionTable<T extends { readonly slot: number; readonly generation: number }> {
  /** How many there are. */
  size = 0;
  private readonly slots: (T | undefined)[] = [];
  private readonly freeSlots: number[] = [];
  private readonly generations: number[] = [];

  /** @param make of a slot and its generation */
  add(make: (slot: number, generation: number) => T): T {
    const slot = this.freeSlots.pop() ?? this.slots.length;
    const generation = (this.generations[slot] ?? 0) + 1;
    this.generations[slot] = generation;
    const connection = make(slot, generation);
    this.slots[slot] = connection;
    this.size++;
    return connection;
  }

  find(slot: number, generation: number): T | undefined {
    const connection = this.slots[slot];
    return connection?.generation === generation ? connection : undefined;
  }

  delete({ slot }: T): void {
    this.slots[slot] = undefined;
    this.freeSlots.push(slot);
    this.size--;
  }

  /** Those there are now, whatever becomes of them meanwhile. */
  all(): T[] {
    return this.slots.filter((each) => each !== undefined);
  }
}
