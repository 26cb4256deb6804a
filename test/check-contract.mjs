#!/usr/bin/env node
// Test titles begin with the ids of docs/contract.md that they check: `it('W3: …')`, `it('R1 R5: …')` and, in C++,
// TEST(ConnectionTest, W3_…). Fails when one cites an id that the table lacks.
//
//   npm run contract                        lists the rows with the number of tests that cite each
//   node test/check-contract.mjs --quiet    only what is wrong
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const quiet = process.argv.includes('--quiet');

const rows = readFileSync(join(root, 'docs/contract.md'), 'utf8').matchAll(/^\| ([A-Z]\d+) +\| (.*?) *\|$/gm);
const contract = new Map([...rows].map(([, id, text]) => [id, text]));

const titles = {
  'spec.ts': /(?<=['"`])[A-Z]\d+(?:[ ,]+[A-Z]\d+)*(?=: )/g,
  '_test.cc': /(?<=\bTEST(?:_[FP])?\(\w+,\s*)[A-Z]\d+(?:_[A-Z]\d+)*(?=_)/g,
};

const tests = new Map([...contract.keys()].map((id) => [id, 0]));
const unknown = [];
for (const folder of ['test', 'native/test']) {
  for (const file of readdirSync(join(root, folder), { recursive: true })) {
    const title = Object.entries(titles).find(([ending]) => file.endsWith(ending))?.[1];
    if (title === undefined) continue;
    readFileSync(join(root, folder, file), 'utf8')
      .split('\n')
      .forEach((line, index) => {
        for (const id of (line.match(title) ?? []).flatMap((ids) => ids.match(/[A-Z]\d+/g))) {
          if (contract.has(id)) tests.set(id, tests.get(id) + 1);
          else unknown.push(`${folder}/${file}:${index + 1}: docs/contract.md has no row ${id}`);
        }
      });
  }
}

if (!quiet) {
  for (const [id, text] of contract) {
    const summary = text.length > 90 ? `${text.slice(0, 89)}…` : text;
    console.log(`${id.padEnd(4)} ${String(tests.get(id)).padStart(3)}  ${summary}`);
  }
  const uncited = [...tests].filter(([, count]) => count === 0).map(([id]) => id);
  console.log(`\n${contract.size - uncited.length} of ${contract.size} rows are cited by a test.`);
  if (uncited.length > 0) console.log(`Cited by none: ${uncited.join(', ')}.`);
}
for (const complaint of unknown) console.error(complaint);
process.exit(unknown.length > 0 ? 1 : 0);
