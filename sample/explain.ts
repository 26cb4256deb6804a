const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Choose another port with PORT (HTTP_PORT for HTTP), or end the process that has this one.',
  EACCES: 'Ports below 1024 need rights: choose another one with PORT.',
  ECONNREFUSED: 'Start the service first: npm start -- --help lists them.',
};

/** Ends the process with a line for what whoever runs a sample can put right, and with the stack of anything else. */
export function explain(error: unknown): never {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const remedy = REMEDIES[code];
  console.error(remedy === undefined ? error : `${message}\n${remedy}`);
  process.exit(1);
}
