#!/usr/bin/env node
// node bench/readme.mjs: puts the saved results, results/{echo,accept,rpc}.json, into README.md, between
// <!-- bench:start --> and <!-- bench:end -->. What is not saved is left out.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { format, resolveConfig } from 'prettier';
import { benchFolder, resultsFolder } from './runner/paths.mjs';
import { formatResults } from './runner/markdown.mjs';

const readme = join(benchFolder, '..', 'README.md');
const section = /(?<=<!-- bench:start -->\n)[^]*(?=<!-- bench:end -->)/;

const files = ['echo', 'accept', 'rpc'].map((name) => join(resultsFolder, `${name}.json`)).filter(existsSync);
const text = readFileSync(readme, 'utf8');
if (files.length === 0 || !section.test(text)) {
  const missing = files.length === 0 ? 'results: npm run bench -- echo --save' : 'marks <!-- bench:start -->';
  process.stderr.write(`Nothing to do, for lack of ${missing}\n`);
  process.exit(1);
}
const results = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));
const filled = text.replace(section, () => `\n${formatResults(results)}\n\n`);
writeFileSync(readme, await format(filled, { ...(await resolveConfig(readme)), filepath: readme }));
