const { bun, deno, node } = process.versions;

/** What runs this, and its version. */
export const runtime = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${node}`;

/**
 * What passes for Node and is not ends the process when the addon calls a function of libuv that it lacks, and has classes of
 * its own where Node's are relied on.
 */
export const isNode = !bun && !deno;
