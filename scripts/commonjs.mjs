#!/usr/bin/env node
// Makes the CommonJS half of dist/ from the ESM half that tsc has put there: beside each x.js and x.d.ts an x.cjs and an
// x.d.cts. File by file, so that both halves are the same code; types were checked when the first half was made.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const dist = fileURLToPath(new URL('../dist', import.meta.url));

/** Imports and exports of a file name its neighbours by their names in the other half. */
const retarget = (text) =>
  text.replace(/\b(from |import |import\()(['"])(\.{1,2}\/[^'"\n]+)\.js\2/g, '$1$2$3.cjs$2');

const toCommonJs = (text) =>
  ts.transpileModule(text, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  }).outputText;

const withoutMap = (text) => text.replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n');

for (const name of readdirSync(dist, { recursive: true })) {
  const file = join(dist, name);
  if (name.endsWith('.d.ts')) {
    writeFileSync(file.replace(/\.ts$/, '.cts'), retarget(readFileSync(file, 'utf8')));
  } else if (name.endsWith('.js')) {
    const text = readFileSync(file, 'utf8');
    if (text.includes('import.meta')) throw new Error(`${name}: import.meta has no meaning in CommonJS`);
    writeFileSync(file.replace(/\.js$/, '.cjs'), toCommonJs(retarget(withoutMap(text))));
  }
}
