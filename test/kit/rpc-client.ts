import { GevClient, type GevClientOptions } from 'nestjs-gev';
import type { Observable } from 'rxjs';
import { onCleanup } from './cleanup.js';

/** A client that logs nothing. It is closed with the test. */
export function clientOf(options: GevClientOptions): GevClient {
  const ignore = (): void => undefined;
  const where = options.path ?? options.endpoints ?? options.host;
  const client = new GevClient({
    ...(where === undefined && { host: '127.0.0.1' }),
    logger: { log: ignore, warn: ignore, error: ignore },
    ...options,
  });
  onCleanup(() => client.close());
  return client;
}

/** What an Observable tells: values, then `end` or the error. */
export class Subscriber {
  readonly seen: any[] = [];
  private readonly subscription;

  constructor(source: Observable<unknown>) {
    this.subscription = source.subscribe({
      next: (value) => this.seen.push(value),
      error: (error: unknown) => this.seen.push(error),
      complete: () => this.seen.push('end'),
    });
  }

  get last(): any {
    return this.seen.at(-1);
  }

  leave(): void {
    this.subscription.unsubscribe();
  }
}
