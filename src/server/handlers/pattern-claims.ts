import { quote } from '../../core/error-log.js';
import { GevDuplicatePatternError } from '../../core/errors.js';
import { namesOfHandler } from './handler-extras.js';
import type { HandlerExtras } from './handler-extras.js';
import { titleOf } from '../server-names.js';

/** One registered handler of a pattern. */
export interface PatternClaim {
  readonly pattern: string;
  readonly isEvent: boolean;
  readonly extras: HandlerExtras;
}

/** Which handlers a server has for which patterns. Nest itself would let the last one win without a word. */
export class PatternClaims {
  private readonly byPattern = new Map<string, PatternClaim[]>();

  constructor(private readonly server: string | undefined) {}

  /** @throws GevDuplicatePatternError for a second handler of requests */
  add(claim: PatternClaim): void {
    const { pattern, isEvent } = claim;
    const others = this.byPattern.get(pattern);
    if (others === undefined) {
      this.byPattern.set(pattern, [claim]);
      return;
    }
    const rival = others.find((other) => !other.isEvent);
    if (!isEvent && rival !== undefined) {
      throw new GevDuplicatePatternError(pattern, this.describe(pattern, rival, claim));
    }
    others.push(claim);
  }

  *[Symbol.iterator](): Iterator<PatternClaim> {
    for (const claims of this.byPattern.values()) yield* claims;
  }

  /** Patterns that have handlers of requests and of events. */
  get mixed(): string[] {
    return [...this.byPattern]
      .filter(([, claims]) => claims.some(({ isEvent }) => isEvent !== claims[0]!.isEvent))
      .map(([pattern]) => pattern);
  }

  private describe(pattern: string, { extras }: PatternClaim, { extras: others }: PatternClaim): string {
    const names = new Set([...namesOfHandler(extras), ...namesOfHandler(others)]);
    if (names.size === 1) {
      const [name] = names;
      return (
        `${name} is registered twice for the pattern ${quote(pattern)} on one ${titleOf(this.server)}: list its ` +
        'controller in one module, and give a server to Nest once'
      );
    }
    const which = names.size > 0 ? `: ${[...names].join(' and ')}` : '';
    const owner = this.server === undefined ? 'one server' : `the ${titleOf(this.server)}`;
    return (
      `Two handlers of ${owner} have the pattern ${quote(pattern)}${which}. Only one could answer: give one of them ` +
      "another pattern, or a server of its own: @MessagePattern(pattern, { server: 'name' })"
    );
  }
}
