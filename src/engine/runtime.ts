/**
 * Whether this is Node. What passes for it, Bun and Deno, ends the process when the addon calls a function of libuv that it
 * lacks, and has classes of its own where Node's are relied on.
 */
export const isNode = process.versions.bun === undefined && process.versions.deno === undefined;
