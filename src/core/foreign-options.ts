/** What options that we have not are called elsewhere, and what to do instead. */
export type ForeignOptions = Readonly<Record<string, string>>;

const GUIDE = 'see docs/migrating-from-tcp.md';
const STRATEGY =
  'a server is given to Nest as it is: createMicroservice(AppModule, { strategy: new GevServer({ port: 3000 }) })';
const CUSTOM_CLASS =
  "a client is given to Nest as it is: ClientsModule.register([{ name: 'MATH', customClass: GevClient, options: { port: 3000 } }])";

/** Of Nest's server for TCP, and of what stands around it. */
export const FOREIGN_SERVER_OPTIONS: ForeignOptions = {
  retryAttempts: `listen() fails at once, with the reason; ${GUIDE}`,
  retryDelay: `listen() fails at once, with the reason; ${GUIDE}`,
  socketClass: `another framing is a codec; ${GUIDE}`,
  transport: STRATEGY,
  strategy: STRATEGY,
  options: 'they are given directly: new GevServer({ port: 3000 })',
};

/** Of Nest's client for TCP, and of what stands around it. */
export const FOREIGN_CLIENT_OPTIONS: ForeignOptions = {
  retryAttempts: `attempts to connect are the business of "reconnect"; ${GUIDE}`,
  retryDelay: `attempts to connect are the business of "reconnect"; ${GUIDE}`,
  socketClass: `there is no socket to be replaced; ${GUIDE}`,
  transport: CUSTOM_CLASS,
  customClass: CUSTOM_CLASS,
  options: 'they are given directly: new GevClient({ port: 3000 })',
};
