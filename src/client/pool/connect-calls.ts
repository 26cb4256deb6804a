import type { ProcessHold } from '../../core/process-hold.js';

/** Somebody who waits in `connect()`. */
interface ConnectCall {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Those who wait in `connect()` for the first connection. They keep the process alive. */
export class ConnectCalls {
  private calls: ConnectCall[] = [];

  constructor(private readonly hold: ProcessHold) {}

  get empty(): boolean {
    return this.calls.length === 0;
  }

  add(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.hold.up();
      this.calls.push({ resolve, reject });
    });
  }

  resolve(): void {
    for (const { resolve } of this.take()) resolve();
  }

  reject(error: unknown): void {
    for (const { reject } of this.take()) reject(error);
  }

  private take(): readonly ConnectCall[] {
    const { calls } = this;
    this.calls = [];
    for (let left = calls.length; left > 0; left--) this.hold.down();
    return calls;
  }
}
