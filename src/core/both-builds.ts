/**
 * A process may hold this package twice, as ESM and as CommonJS: its classes and modules then exist twice. What both must
 * agree on goes by a name of the symbol registry.
 */

/** The one object of that name in this realm, made by whichever build asks first. */
export function inCommon<T extends object>(name: string, make: () => T): T {
  const realm = globalThis as unknown as Record<symbol, T | undefined>;
  return (realm[Symbol.for(`gev:${name}`)] ??= make());
}

/** Whether a value is of a class that carries this brand, a symbol of the registry, on its prototype. */
export function isBranded(value: unknown, brand: symbol): boolean {
  return typeof value === 'object' && value !== null && brand in value;
}
