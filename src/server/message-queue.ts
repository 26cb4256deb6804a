/** Messages of one connection that wait for its handlers, first in, first out. */
export class MessageQueue {
  private readonly messages: (Buffer | undefined)[] = [];
  private head = 0;
  private size = 0;

  get length(): number {
    return this.messages.length - this.head;
  }

  /** Bytes of all messages that wait. */
  get bytes(): number {
    return this.size;
  }

  push(message: Buffer): void {
    this.messages.push(message);
    this.size += message.length;
  }

  /** The oldest message; only to be called while there is one. */
  shift(): Buffer {
    const message = this.messages[this.head]!;
    this.messages[this.head++] = undefined;
    this.size -= message.length;
    if (this.head === this.messages.length) this.clear();
    else if (this.head >= 1024) {
      this.messages.splice(0, this.head);
      this.head = 0;
    }
    return message;
  }

  clear(): void {
    this.messages.length = 0;
    this.head = 0;
    this.size = 0;
  }
}
