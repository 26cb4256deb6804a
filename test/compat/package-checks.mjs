// What can be said of the package without running it.
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import ts from 'typescript';

/**
 * That whoever imports or requires the package, with types or without, gets what fits.
 *
 * @throws where publint or "Are the types wrong?" has something to say
 */
export async function checkTarball(tarball) {
  const data = new Uint8Array(readFileSync(tarball));
  const { messages, pkg } = await publint({ pack: { tarball: data.buffer }, strict: true });
  const complaints = messages.map((message) => formatMessage(message, pkg, { color: false }));
  const { types, problems } = await checkPackage(createPackageFromTarballData(data));
  if (!types) complaints.push('There are no types');
  else complaints.push(...problems.map((problem) => JSON.stringify(problem)));
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
}

/**
 * That users can name every type which the declarations of what they use name.
 *
 * @param folder of the installed package
 */
export function checkNames(folder) {
  const entries = ['index.d.ts', 'core/index.d.ts', 'msgpack/index.d.ts'].map((name) =>
    join(folder, 'dist', name),
  );
  const program = ts.createProgram(entries, {
    ...{ module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
    ...{ target: ts.ScriptTarget.ES2022, strict: true, types: [] },
  });
  const checker = program.getTypeChecker();
  const resolved = (symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const modules = entries.map((entry) => checker.getSymbolAtLocation(program.getSourceFile(entry)));
  const exported = new Set(modules.flatMap((module) => checker.getExportsOfModule(module).map(resolved)));

  const missing = new Set();
  const visit = (node, owner) => {
    if (ts.isTypeReferenceNode(node)) {
      const symbol = resolved(checker.getSymbolAtLocation(node.typeName));
      const file = symbol.declarations?.[0]?.getSourceFile().fileName ?? '';
      const ours = file.startsWith(folder) && !(symbol.flags & ts.SymbolFlags.TypeParameter);
      if (ours && !exported.has(symbol)) missing.add(`${owner.name} names ${symbol.name}`);
    }
    ts.forEachChild(node, (child) => visit(child, owner));
  };
  for (const symbol of exported) symbol.declarations?.forEach((node) => visit(node, symbol));
  if (missing.size > 0) throw new Error(`Not exported: ${[...missing].join(', ')}`);
}
