'use strict';
// Finds and loads the addon. CommonJS, so that both builds of the package share one file, and with it one addon, and that
// neither needs to ask where it is itself. Built-in modules come from `process`, for bundlers to leave alone: what they make
// of `require` works in some formats only.
const { existsSync } = process.getBuiltinModule('node:fs');
const { createRequire } = process.getBuiltinModule('node:module');
const { dirname, join, resolve } = process.getBuiltinModule('node:path');

/** The folder of this file, or of the bundle that it has become part of. */
const here = typeof __dirname === 'string' ? __dirname : dirname(process.argv[1]);
const bundled = !existsSync(join(here, 'load.cjs'));

/**
 * Where the addon may be, first match wins. One that was built from source is there only where somebody has asked for it:
 * the package comes without. Prebuilt ones are named as node-gyp-build and the tools that know it expect.
 */
function candidates() {
  if (process.env.GEV_ADDON) return [resolve(process.env.GEV_ADDON)];
  const name = isMusl() ? 'node.napi.musl.node' : isLinux ? 'node.napi.glibc.node' : 'node.napi.node';
  const prebuilt = join('prebuilds', `${process.platform}-${process.arch}`, name);
  return bundled
    ? [join(here, prebuilt)]
    : [join(here, 'build', 'nestjs_gev.node'), join(here, '..', prebuilt)];
}

const isLinux = process.platform === 'linux';

/** Whichever libc this very Node runs on: files such as /etc/alpine-release tell of the distribution only. */
function isMusl() {
  if (!isLinux) return false;
  const { report } = process;
  const { excludeNetwork } = report;
  report.excludeNetwork = true; // it would look up the name of every peer
  const { header } = report.getReport();
  report.excludeNetwork = excludeNetwork;
  return header.glibcVersionRuntime === undefined;
}

exports.loadAddon = function loadAddon() {
  const tried = candidates();
  const file = tried.find((path) => existsSync(path));
  try {
    return { addon: file && createRequire(file)(file), tried, bundled };
  } catch (error) {
    return { addon: undefined, tried, bundled, error };
  }
};
