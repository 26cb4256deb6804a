import { describe } from './errors.js';
import type { GevLogger } from './options.js';
import { inFreshScope } from '../native/fresh-scope.js';

const WINDOW_MS = 1_000;

interface Kind {
  readonly level: 'warn' | 'error';
  last: string;
  suppressed: number;
}

/**
 * Writes at most one line a second for each kind of trouble, and says how many more of it there were. Never throws,
 * whatever the logger does.
 */
export class ErrorLog {
  private readonly recent = new Map<string, Kind>();

  constructor(private readonly logger: GevLogger) {}

  /**
   * @param kind what is rate-limited together; there must be few of them, so nothing a peer can choose
   * @param cause what was thrown: its message ends the line, its stack goes along
   */
  report(kind: string, level: 'warn' | 'error', message: string, cause?: unknown): void {
    const line = cause === undefined ? message : `${message}: ${describe(cause)}`;
    const known = this.recent.get(kind);
    if (known !== undefined) {
      known.last = line;
      known.suppressed++;
      return;
    }
    this.write(level, line, cause);
    this.recent.set(kind, { level, last: line, suppressed: 0 });
    // The line about the others is nobody's, and holds nobody's context meanwhile.
    inFreshScope(() => setTimeout(() => this.reopen(kind), WINDOW_MS).unref());
  }

  private reopen(kind: string): void {
    const known = this.recent.get(kind);
    this.recent.delete(kind);
    if (known === undefined || known.suppressed === 0) return;
    this.report(kind, known.level, `${known.last} (${known.suppressed} of this kind within the last second)`);
  }

  private write(level: 'warn' | 'error', line: string, cause: unknown): void {
    try {
      const stack = stackOf(cause);
      if (level === 'warn') this.logger.warn(line);
      else if (stack === undefined) this.logger.error(line);
      else this.logger.error(line, stack);
    } catch (error) {
      process.emitWarning(`The logger failed: ${describe(error)}; it was to write: ${line}`);
    }
  }
}

function stackOf(thrown: unknown): string | undefined {
  try {
    return thrown instanceof Error ? thrown.stack : undefined;
  } catch {
    return undefined; // nothing of it can be read
  }
}

/** Text that a peer had a hand in, for a log line: nobody is to begin a line of his own, or to steer a terminal. */
export function escapeControls(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (c) => `\\u${c.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}
