/**
 * What of the contract the JavaScript engine does not have, by the tests that ask for it: docs/platforms.md says so to users.
 *
 * @type {readonly { readonly title: RegExp, readonly row: string, readonly why: string }[]}
 */
export const exceptions = [
  {
    title: /\bon [12] (loops|loop threads|threads)|, [12] loops|[12] threads each/,
    row: 'S4',
    why: 'one loop',
  },
  { title: /S4: \d threads are started/, row: 'S4', why: 'one loop' },
  { title: /F1: two loops of a server/, row: 'F1', why: 'one loop' },
  {
    title: /W5: bufferedBytes is exact/,
    row: 'W5',
    why: 'it is exact to 64 KiB while the kernel takes no more',
  },
  {
    title: /S5: (so do two worker threads|two processes share|workers of node:cluster)/,
    row: 'S5',
    why: 'SO_REUSEPORT needs Node 22.12',
  },
  { title: /W7: (receive|send)BufferSize/, row: 'W7', why: 'node:net sets no buffer sizes' },
  { title: /D5: a full queue/, row: 'D5', why: 'a paused socket tells nothing of FIN and RST' },
  {
    title: /W4: (buffer: everything is kept|a peer that asks and never reads)/,
    row: 'W4',
    why: 'asks how much waits in this process, and the kernel takes more of smaller writes',
  },
  {
    title: /M3: above maxTotalSendBuffer the connection/,
    row: 'W7',
    why: 'has the kernel take little by sendBufferSize, which node:net does not set',
  },
  {
    title: /S9: those connected are served/,
    row: 'S9',
    why: 'Node has no spare descriptor, and tells nobody',
  },
  {
    title: /E1: (a stream that is cut without a goodbye|who shows none of the certificates)/,
    row: 'E1',
    why: 'node:tls takes FIN for a goodbye, and hangs up without an alert on certificates it does not trust',
  },
  {
    title: /E1: (a name may ask for certificates that others do not, and have a key|the ciphers of a name)/,
    row: 'E1',
    why: 'with node:tls a name has its keys beside those of the server, and the versions and ciphers of the server',
  },
];

/** Files about what only the native engine has. */
export const nativeFiles = [
  'haproxy', // PROXY headers
  'proxy-protocol',
  'balancing', // over loops
  'dead-peers', // TCP_USER_TIMEOUT, probes
  'memory', // of the addon
  'rolling-restart', // SO_REUSEPORT before Node 22.12
  'system-calls',
  'threads',
];
