import { inCommon } from '../core/both-builds.js';

/**
 * What handlers are called, by the extras that Nest hands over with them: those are one object a decorated method. Of
 * `@MessagePattern` and `@EventPattern` methods only a {@link GevModule} can know it; `gev` decorators know it themselves.
 */
const names = inCommon('handler-names', () => new WeakMap<object, Set<string>>());

/** @param name `Controller.method`; several controllers may inherit one method */
export function nameHandler(extras: object, name: string): void {
  const known = names.get(extras);
  if (known === undefined) names.set(extras, new Set([name]));
  else known.add(name);
}

/** Empty where nobody has named the handler. */
export function namesOfHandler(extras: object): readonly string[] {
  return [...(names.get(extras) ?? [])];
}
