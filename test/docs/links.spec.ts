import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { root } from '../kit/child.js';

const REPOSITORY = 'https://github.com/nestjs-gev/nestjs-gev';

interface Link {
  readonly from: string;
  readonly target: string;
}

function linksOf(file: string): Link[] {
  const text = readFileSync(join(root, file), 'utf8').replace(/^```[^]*?^```$/gm, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => ({ from: file, target: target! }));
}

/** What GitHub and npm make of headings. */
function anchorsOf(file: string): Set<string> {
  const text = readFileSync(join(root, file), 'utf8').replace(/^```[^]*?^```$/gm, '');
  const seen = new Map<string, number>();
  const anchors = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => {
    const anchor = heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
  return new Set(anchors);
}

/** What is wrong with a relative link; undefined: nothing. */
function fault({ from, target }: Link, exists: (file: string) => boolean): string | undefined {
  const [path, anchor] = target.split('#', 2) as [string, string?];
  const file = path === '' ? from : relative(root, join(root, dirname(from), path));
  if (!exists(file)) return `${from}: ${target} is not there`;
  if (anchor !== undefined && !anchorsOf(file).has(anchor)) return `${from}: ${target} has no such heading`;
  return undefined;
}

const markdown = (folder: string): string[] =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));

const isRelative = ({ target }: Link): boolean => !/^[a-z]+:/.test(target);

describe('links', () => {
  const samples = readdirSync(join(root, 'sample')).map((name) => join('sample', name));
  const folders = [
    '.',
    'docs',
    'bench',
    ...samples.filter((name) => !/\.\w+$/.test(name) && !name.endsWith('dist')),
  ];
  const links = folders.flatMap(markdown).flatMap(linksOf);

  it('every relative link leads to a file and a heading', () => {
    const faults = links
      .filter(isRelative)
      .map((link) => fault(link, (file) => existsSync(join(root, file))));
    expect(faults.filter(Boolean)).toEqual([]);
  });

  it('every link into the repository, by its address, leads to a file and a heading', () => {
    const own = new RegExp(`^${REPOSITORY}/(?:blob|tree)/main/`);
    const faults = links
      .filter(({ target }) => own.test(target))
      .map(({ target }) =>
        fault({ from: 'README.md', target: target.replace(own, '') }, (file) => existsSync(join(root, file))),
      );
    expect(faults.filter(Boolean)).toEqual([]);
  });

  it('every relative link of the package leads to a file of the package', () => {
    const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      encoding: 'utf8',
    });
    const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
    const packed = new Set(files.map(({ path }) => path));
    const pages = [...packed].filter((path) => path.endsWith('.md'));
    expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/README.md', 'SECURITY.md']));
    const faults = pages
      .flatMap(linksOf)
      .filter(isRelative)
      .map((link) => fault(link, (file) => packed.has(file)));
    expect(faults.filter(Boolean)).toEqual([]);
  });

  it('docs/README.md leads to every page', () => {
    const listed = linksOf('docs/README.md').map(({ target }) => target);
    const pages = markdown('docs').map((file) => file.slice('docs/'.length));
    expect(pages.filter((page) => page !== 'README.md' && !listed.includes(page))).toEqual([]);
  });

  it('every path of a source that the tours name is there', () => {
    const paths = ['CONTRIBUTING.md', 'docs/architecture.md'].flatMap((page) =>
      [...readFileSync(join(root, page), 'utf8').matchAll(/`((?:src|native)\/[\w./-]+)`/g)].map(
        ([, path]) => path!,
      ),
    );
    const made = /^native\/build\//;
    expect(paths.filter((path) => !made.test(path) && !existsSync(join(root, path)))).toEqual([]);
  });

  it('package.json names the repository that relative links are resolved with', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, any>;
    expect(manifest.repository).toEqual({ type: 'git', url: `git+${REPOSITORY}.git` });
    expect(manifest.bugs.url).toBe(`${REPOSITORY}/issues`);
    expect(manifest.homepage).toMatch(REPOSITORY);
  });
});
