import type { ReactorConnection } from '../../core/reactor-connection.js';

const NONE: readonly string[] = [];

/**
 * What comes on a new connection before its dial has been told of it: a promise tells that, and what the loop has delivered
 * together with the connection is read before promises have their turn.
 */
export class EarlyTexts {
  private readonly texts = new Map<ReactorConnection, string[]>();

  keep(connection: ReactorConnection, text: string): void {
    const kept = this.texts.get(connection);
    if (kept === undefined) this.texts.set(connection, [text]);
    else kept.push(text);
  }

  /** What has come, once. */
  take(connection: ReactorConnection): readonly string[] {
    const kept = this.texts.get(connection) ?? NONE;
    this.texts.delete(connection);
    return kept;
  }
}
