'use strict';
// Loads msgpackr, an optional peer, when it is needed. CommonJS, so that both builds of the package share one file and need not
// wait for it; the name is written out for bundlers to find.

/** @returns {{ msgpackr?: unknown, error?: unknown }} */
exports.loadMsgpackr = function loadMsgpackr() {
  try {
    return { msgpackr: require('msgpackr') };
  } catch (error) {
    return { error };
  }
};
