/** Whether one of the methods is not the prototype's own: a subclass, or the application, has put another in its place. */
export function overrides(instance: object, prototype: object, ...methods: readonly string[]): boolean {
  const own = instance as Record<string, unknown>;
  const base = prototype as Record<string, unknown>;
  return methods.some((method) => own[method] !== base[method]);
}
