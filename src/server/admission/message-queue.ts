/** Beyond so many waiting messages of one connection, reading from it pauses; it resumes below a quarter. */
const MAX_MESSAGES = 1024;

/** Messages of one connection that wait for its handlers, first in, first out. */
export class MessageQueue<Message> {
  private readonly messages: (Message | undefined)[] = [];
  private head = 0;
  private size = 0;

  /** `maxSize`: bytes of all messages (code units, where they are text) above which the queue is full. */
  constructor(private readonly maxSize: number) {}

  get length(): number {
    return this.messages.length - this.head;
  }

  /** More should not come. */
  get full(): boolean {
    return this.length > MAX_MESSAGES || this.size > this.maxSize;
  }

  /** There is room again for a good while. */
  get low(): boolean {
    return this.length <= MAX_MESSAGES / 4 && this.size <= this.maxSize / 4;
  }

  push(message: Message): void {
    this.messages.push(message);
    this.size += sizeOf(message);
  }

  /** The oldest message; only to be called while there is one. */
  shift(): Message {
    const message = this.messages[this.head]!;
    this.messages[this.head++] = undefined;
    this.size -= sizeOf(message);
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

/** What a message that has no length counts for: an object of a framing of the application's. */
const OBJECT_SIZE = 64;

/** Bytes of a message, or code units of text. */
export function sizeOf(message: unknown): number {
  const length = (message as { readonly length?: unknown } | null | undefined)?.length;
  return typeof length === 'number' ? length : OBJECT_SIZE;
}
