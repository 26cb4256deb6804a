import 'reflect-metadata';

const PARAM_TYPES = 'design:paramtypes';

/**
 * Has pipes see no class behind parameters that are no data of the peer: a `ValidationPipe({ transform: true })` would make
 * a copy of the connection, and validate that.
 *
 * @param index which one; undefined: all of them
 */
export function hideParamTypes(target: object, key: string | symbol, index?: number): void {
  const types = Reflect.getOwnMetadata(PARAM_TYPES, target, key) as unknown[] | undefined;
  if (types === undefined) return; // compiled without them
  const hidden = types.map((type, each) => (index === undefined || each === index ? Object : type));
  Reflect.defineMetadata(PARAM_TYPES, hidden, target, key);
}
