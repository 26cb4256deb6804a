// node bench/self-test.mjs: do the generators notice what they must, and is the arithmetic right? A benchmark that cannot
// fail proves nothing.
import { buildNative } from './runner/build.mjs';

buildNative();
for (const name of ['options', 'echo', 'codecs', 'accept', 'rpc', 'rpc-client', 'statistics', 'compare']) {
  await import(`./self-test/${name}.mjs`);
}
