import { GevOptionsError } from './errors.js';
import { flag } from './option-checks.js';
import type {
  HandlerOptionName,
  ReactorOptions,
  ResolvedGevServerOptions,
  ResolvedReactorOptions,
} from './options.js';
import { objectOf, validateServerOptions } from './validate-options.js';

const HANDLER_OPTIONS = {
  name: true,
  concurrency: true,
  maxInFlight: true,
  serializer: true,
  deserializer: true,
  errors: true,
  overflow: true,
  overflowLimit: true,
  drainTimeout: true,
  streamDrainTimeout: true,
  maxConnectionAge: true,
  logger: true,
} satisfies Record<HandlerOptionName, true>;

/** What `listeners` say, too. */
const SHORT_FORM = ['host', 'port', 'path', 'codec', 'proxyProtocol', 'trusted'];

/**
 * Checks the options and fills in the defaults.
 *
 * @throws GevOptionsError naming the option, its value and what is allowed
 */
export function resolveReactorOptions(reactorOptions: ReactorOptions): ResolvedReactorOptions {
  const { patterns = [], gateConnections, alwaysRead, dialTls, ...options } = objectOf(reactorOptions);
  const foreign = Object.keys(options).find(isHandlerOption);
  if (foreign !== undefined) {
    throw new GevOptionsError(
      foreign,
      `Option "${foreign}" is of a GevServer: a Reactor has no part in handlers`,
    );
  }
  return {
    ...validateServerOptions(options),
    gateConnections: flag({ gateConnections }, 'gateConnections') ?? false,
    alwaysRead: flag({ alwaysRead }, 'alwaysRead') ?? false,
    patterns,
    dialTls,
  };
}

/** What a server's reactor works from. */
export function reactorOptionsOf(options: ResolvedGevServerOptions): ReactorOptions {
  const others: ReactorOptions = Object.fromEntries(
    Object.entries(options).filter(([name]) => !isHandlerOption(name) && !SHORT_FORM.includes(name)),
  );
  const listeners = options.listeners.map(
    ({ name, host, port, path, codec, tlsOptions, proxyProtocol, trusted }) => ({
      ...{ name, codec, tlsOptions, proxyProtocol, trusted },
      ...(path === undefined ? { host, port } : { path }),
    }),
  );
  return { ...others, listeners };
}

function isHandlerOption(name: string): boolean {
  return Object.hasOwn(HANDLER_OPTIONS, name);
}
