import process from 'node:process';

/**
 * The codec of a contender of this project, by the environment: CODEC (raw, the default, line or length) and COPY.
 *
 * @param {Record<string, Function>} gev the package's exports; older revisions have only some codecs
 */
export function codecOf({ lengthField, line, raw }) {
  const { CODEC: name = 'raw', COPY: copy } = process.env;
  if (name === 'line') return line();
  return name === 'length' ? lengthField({ length: 4 }) : raw({ copy: copy !== 'false' });
}
