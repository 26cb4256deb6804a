import { type AccessRules, AddressRanges } from '../engine/address-ranges.js';
import { parseAddressList } from './address-list.js';
import { refuseUnknown } from './option-checks.js';

/** Who may connect: as the options of the same names. */
export interface GevAccess {
  /** Addresses and CIDR blocks. Default: everybody may come in. */
  readonly allow?: readonly string[];
  /** Those of whom may not, although they are in `allow`. Default: none. */
  readonly deny?: readonly string[];
}

/** @throws GevOptionsError for what is no address */
export function checkAccess({ allow, deny }: GevAccess): {
  readonly allow: readonly string[] | undefined;
  readonly deny: readonly string[];
} {
  accessRules({ allow, deny });
  return { allow, deny: deny ?? [] };
}

/** As engines have them. `null` and `undefined` stand for what is left out. */
export function accessRules({ allow, deny, ...others }: GevAccess): AccessRules {
  refuseUnknown(others, ['allow', 'deny']);
  return {
    allow: allow === undefined ? undefined : parseAddressList(allow, 'allow'),
    deny: deny === undefined ? NOBODY : parseAddressList(deny, 'deny'),
  };
}

const NOBODY = new AddressRanges([]);
