import type { CloseReason } from './close-reason.js';
import { type GevConnection, nameOf } from './connection.js';
import { quote } from './error-log.js';
import { GevConnectionClosedError, GevError } from './errors.js';
import { flag, given, refuse, refuseUnknown } from './option-checks.js';

/**
 * Another connection of the server has that identity, and is open.
 *
 * @publicApi
 */
export class GevIdentityInUseError extends GevError {
  constructor(
    readonly identity: string,
    holder: string,
  ) {
    super(
      'ERR_GEV_IDENTITY_IN_USE',
      `The identity ${JSON.stringify(identity)} is that of ${holder}: refuse the newcomer, or have it take over with replace: true`,
    );
  }
}

/** Whoever takes an identity from one that has held it for less may be kicking and being kicked. */
const SHORT_MS = 60_000;
/** So often in a row is no accident. */
const RIVALRY = 5;

/** What identities need of a connection. */
export interface IdentifiedConnection extends GevConnection<object, unknown> {
  identity: string | undefined;
  closeFor(reason: CloseReason): void;
}

interface Holder {
  readonly connection: IdentifiedConnection;
  readonly since: number;
  /** How often in a row the identity was taken over soon. */
  readonly takeovers: number;
}

/**
 * Who is who on one reactor: at most one open connection has an identity, and only open ones are in here.
 */
export class Identities {
  private readonly holders = new Map<string, Holder>();

  /** @param report of what is worth a log line; must not throw */
  constructor(private readonly report: (error: GevError) => void) {}

  get(identity: string): IdentifiedConnection | undefined {
    return this.holders.get(identity)?.connection;
  }

  /**
   * As {@link GevConnection.identify}.
   *
   * @throws GevOptionsError; GevConnectionClosedError; GevIdentityInUseError
   */
  claim(
    connection: IdentifiedConnection,
    identity: string,
    options: { readonly replace?: boolean } | undefined,
  ): void {
    const replace = resolve(identity, options);
    const { state } = connection;
    if (state !== 'open' && state !== 'connecting')
      throw new GevConnectionClosedError(connection.closeReason);
    const older = this.holders.get(identity);
    if (older?.connection === connection) return;
    if (older !== undefined && !replace) throw new GevIdentityInUseError(identity, nameOf(older.connection));
    this.release(connection);
    const now = performance.now();
    const takeovers = older !== undefined && now - older.since < SHORT_MS ? older.takeovers + 1 : 0;
    this.holders.set(identity, { connection, since: now, takeovers });
    connection.identity = identity;
    older?.connection.closeFor('replaced');
    if (takeovers === RIVALRY) this.report(rivalry(identity));
  }

  /** It is not open any more, or goes by another name. Harmless where it has no identity, or has lost it to another. */
  release(connection: IdentifiedConnection): void {
    const { identity } = connection;
    if (identity === undefined || this.holders.get(identity)?.connection !== connection) return;
    this.holders.delete(identity);
  }
}

function resolve(identity: unknown, options: { readonly replace?: boolean } | null | undefined): boolean {
  if (typeof identity !== 'string' || identity === '') {
    throw refuse('identity', identity, 'a text that is not empty');
  }
  if (options === undefined || options === null) return false;
  if (typeof options !== 'object') throw refuse('options', options, 'an object of replace');
  const own = given(options);
  refuseUnknown(own, ['replace'], { owner: 'identify()' });
  return flag(own, 'replace') ?? false;
}

function rivalry(identity: string): GevError {
  return new GevError(
    'ERR_GEV_IDENTITY_CONTESTED',
    `The identity ${quote(identity)} was taken over ${RIVALRY} times in a row, each time within ${SHORT_MS / 1000} s: two peers ` +
      'have it, it seems, and send each other away for ever. Give each its own, or identify without replace, so that the ' +
      'older one stays; one peer that comes back so often should wait longer each time',
  );
}
