import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The bench folder, and where its native half is built. */
export const benchFolder = fileURLToPath(new URL('..', import.meta.url));
export const projectFolder = join(benchFolder, '..');
export const buildFolder = join(benchFolder, '..', 'native', 'build', 'bench');
export const resultsFolder = join(benchFolder, 'results');
/** Other revisions, built: one a folder, named by its commit. */
export const revisionsFolder = join(projectFolder, '.cache', 'bench');

/** @param {string} name */
export const serverScript = (name) => join(benchFolder, 'servers', name);
/** @param {string} name */
export const clientScript = (name) => join(benchFolder, 'clients', name);
/** @param {string} name */
export const binary = (name) => join(buildFolder, name);
