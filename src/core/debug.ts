import { debuglog } from 'node:util';

/**
 * Writes a line to stderr where `NODE_DEBUG` names `gev`; nothing otherwise, and then `debug.enabled` is false. A call costs
 * its arguments all the same: what is done for each message is told by {@link TracedHandler} and {@link TracedPort},
 * which exist only where somebody reads it.
 */
export const debug = debuglog('gev');
