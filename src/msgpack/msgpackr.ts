import { loadMsgpackr } from '#peers/msgpackr.cjs';
import { GevMissingPackageError } from '../core/missing-package-error.js';

/** What is used of msgpackr. */
interface Msgpackr {
  readonly Packr: new (options: PackrOptions) => Packr;
}

interface PackrOptions {
  readonly useRecords: boolean;
  readonly mapsAsObjects: boolean;
  readonly skipValues: readonly unknown[];
  readonly encodeUndefinedAsNil: boolean;
  readonly int64AsType: 'auto';
  readonly onInvalidDate: () => unknown;
}

/** Writes and reads MessagePack. */
export interface Packr {
  /** In memory that nothing is written into again. */
  pack(value: unknown): Buffer;
  /** Bytes in it are views of the frame. */
  unpack(frame: Buffer): unknown;
  /** Packs into this memory next. Not while it packs. */
  useBuffer(memory: Buffer): void;
}

/**
 * A Packr that writes what every MessagePack implementation reads, and leaves out what JSON leaves out. Records, its own extension,
 * are off.
 *
 * @throws GevMissingPackageError
 */
export function createPackr(): Packr {
  const { msgpackr, error } = loadMsgpackr();
  if (msgpackr === undefined) throw new GevMissingPackageError('msgpackr', 'msgpack()', { cause: error });
  const { Packr } = msgpackr as Msgpackr;
  return new Packr({
    useRecords: false,
    mapsAsObjects: true,
    skipValues: [undefined],
    encodeUndefinedAsNil: true,
    int64AsType: 'auto',
    onInvalidDate: () => null,
  });
}
