import { describe } from './errors.js';
import type { GevLogger } from './options.js';
import { inFreshScope } from '../engine/fresh-scope.js';

const WINDOW_MS = 1_000;
/** Kinds told apart within a second. What is beyond shares one: a flood of kinds is limited, too. */
const MAX_KINDS = 256;
const OTHERS = 'others';

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
   * @param kind what is rate-limited together
   * @param cause what was thrown: its message ends the line, its stack goes along
   */
  report(kind: string, level: 'warn' | 'error', message: string, cause?: unknown): void {
    const line = cause === undefined ? message : `${message}: ${describe(cause)}`;
    const told = this.recent.has(kind) || this.recent.size < MAX_KINDS ? kind : OTHERS;
    const known = this.recent.get(told);
    if (known !== undefined) {
      known.last = line;
      known.suppressed++;
      return;
    }
    this.write(level, line, cause);
    this.recent.set(told, { level, last: line, suppressed: 0 });
    // The line about the others is nobody's, and holds nobody's context meanwhile.
    inFreshScope(() => setTimeout(() => this.reopen(told), WINDOW_MS).unref());
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

/** A name that a peer may have chosen, in a log line: quoted, escaped and cut. */
export function quote(name: string): string {
  return escapeControls(JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name));
}
