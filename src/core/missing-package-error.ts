import { GevError, type GevErrorDetails } from './errors.js';

/**
 * A package that only some applications need, and this one does, is not installed. The message says what to run.
 *
 * @publicApi
 */
export class GevMissingPackageError extends GevError {
  constructor(
    /** To be installed. */
    readonly packageName: string,
    /** What needs it. */
    readonly feature: string,
    details?: GevErrorDetails,
  ) {
    super(
      'ERR_GEV_MISSING_PACKAGE',
      `${feature} needs the package ${packageName}: run "npm i ${packageName}"`,
      details,
    );
  }
}
