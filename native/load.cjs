'use strict';
// Finds and loads the addon. CommonJS, so that both builds of the package share one file, and with it one addon, and that
// neither needs to ask where it is itself.
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');

/** Where the addon may be, first match wins. */
function candidates() {
  const libc = process.platform === 'linux' && isMusl() ? '-musl' : '';
  return [
    join(root, 'native', 'build', 'nestjs_gev.node'),
    join(root, 'prebuilds', `${process.platform}-${process.arch}${libc}`, 'nestjs_gev.node'),
  ];
}

function isMusl() {
  return process.report.getReport().header?.glibcVersionRuntime === undefined;
}

exports.loadAddon = function loadAddon() {
  const tried = candidates();
  const file = tried.find((path) => existsSync(path));
  try {
    return { addon: file && require(file), tried };
  } catch (error) {
    return { addon: undefined, tried, error };
  }
};
