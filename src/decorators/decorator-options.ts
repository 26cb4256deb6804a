import { GevError, GevOptionsError } from '../core/errors.js';
import { given, refuseUnknown, show, text } from '../core/option-checks.js';

/**
 * Checks what a decorator was given.
 *
 * @param decorator its name, for messages
 * @throws GevOptionsError for what is no object, for names that are no options, and for a server that is no name
 */
export function decoratorOptions<Options extends { readonly server?: string | undefined }>(
  decorator: string,
  options: Options | undefined,
  known: readonly (keyof Options & string)[],
): Options {
  if (options === undefined || options === null) return {} as Options;
  if (typeof options !== 'object' || Array.isArray(options)) {
    throw new GevOptionsError(
      decorator,
      `@${decorator}() takes an object, such as { server: 'devices' }, not ${show(options)}`,
    );
  }
  if (Object.hasOwn(options, 'constructor')) {
    throw new GevError('ERR_GEV_INVALID_HANDLER', `Call the decorator: @${decorator}(), not @${decorator}`);
  }
  const present = given(options);
  refuseUnknown(present, known, { owner: `@${decorator}()` });
  text(present, 'server');
  return present;
}

/**
 * The method that a decorator of this package stands on, and what it is called in messages.
 *
 * @throws GevError where it is none that an instance of the class has
 */
export function decoratedMethod(
  decorator: string,
  target: object,
  key: string | symbol,
  descriptor: PropertyDescriptor | undefined,
): { readonly method: (...args: unknown[]) => unknown; readonly label: string } {
  const isStatic = typeof target === 'function';
  const label = `${isStatic ? (target as { name: string }).name : target.constructor.name}.${String(key)}`;
  const method: unknown = descriptor?.value;
  if (isStatic || typeof method !== 'function') {
    throw new GevError(
      'ERR_GEV_INVALID_HANDLER',
      `@${decorator}() is for methods of instances: ${label} is ${isStatic ? 'static' : 'none'}`,
    );
  }
  return { method: method as (...args: unknown[]) => unknown, label };
}
