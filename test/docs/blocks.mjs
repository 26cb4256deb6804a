// The TypeScript of Markdown files: each block between ```ts and ``` is a module.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

/**
 * @param {string} file a Markdown file
 * @returns {{ name: string, source: string }[]} the source has empty lines in front, so that a line of it is that of the file
 */
export function blocksOf(file) {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length; // of the opening fence
    return { name: `${basename(file, '.md')}-${line}`, source: '\n'.repeat(line) + match[1] };
  });
}
