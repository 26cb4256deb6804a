#!/usr/bin/env node
// node bench/readme.mjs: puts the saved results, results/{echo,codecs,accept,rpc}.json, into bench/README.md, between
// <!-- bench:start --> and <!-- bench:end -->, and three of their figures into the project's README.md. What is not saved is
// left out.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { format, resolveConfig } from 'prettier';
import { formatHighlights } from './runner/highlights.mjs';
import { formatResults } from './runner/markdown.mjs';
import { benchFolder, resultsFolder } from './runner/paths.mjs';

const section = /(?<=<!-- bench:start -->\n)[^]*(?=<!-- bench:end -->)/;

/** Puts text between the marks of a file. */
async function fill(file, content) {
  const text = readFileSync(file, 'utf8');
  if (!section.test(text)) giveUp(`marks <!-- bench:start --> in ${file}`);
  const filled = text.replace(section, () => `\n${content}\n\n`);
  writeFileSync(file, await format(filled, { ...(await resolveConfig(file)), filepath: file }));
}

function giveUp(missing) {
  process.stderr.write(`Nothing to do, for lack of ${missing}\n`);
  process.exit(1);
}

const files = ['echo', 'codecs', 'accept', 'rpc']
  .map((name) => join(resultsFolder, `${name}.json`))
  .filter(existsSync);
if (files.length === 0) giveUp('results: npm run bench -- echo --save');
const results = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));
await fill(join(benchFolder, 'README.md'), formatResults(results));
await fill(join(benchFolder, '..', 'README.md'), formatHighlights(results));
