import { describe, expect, it } from '@jest/globals';
import { GevClient, GevServer } from 'nestjs-gev';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../kit/child.js';

/** `a`, and of objects `a.b`; of a list of objects `a[…].b`. */
function fieldsOf(value: object): string[] {
  return Object.entries(value).flatMap(([name, member]) => {
    if (Array.isArray(member)) return fieldsOf(member[0] ?? {}).map((field) => `${name}[…].${field}`);
    return typeof member === 'object' && member !== null
      ? fieldsOf(member).map((field) => `${name}.${field}`)
      : [name];
  });
}

/** Those that the first column of a section's tables names. */
function documented(heading: string): string[] {
  const text = readFileSync(join(root, 'docs', 'api.md'), 'utf8');
  const section = text.split(`\n${heading}\n`, 2)[1]!.split('\n#', 1)[0]!;
  return [...section.matchAll(/^\| (`.*?) +\|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([^`]+)`/g)].map(([, field]) => field!),
  );
}

describe('docs/api.md', () => {
  it('has every field of stats(), and no other', () => {
    const loop = 'loops[…].connections'; // while it listens
    expect(documented('### stats()').sort()).toEqual([...fieldsOf(new GevServer().stats()), loop].sort());
    expect(documented('### stats() of a client').sort()).toEqual(fieldsOf(new GevClient().stats()).sort());
  });
});
