/**
 * The text around the members of a packet, `{"pattern":…,"data":…,"id":"…"}`: requests and events, from clients to servers,
 * in the order in which Nest's clients write them. An event has no id, and the metadata are left out where there are none.
 * Who writes packets puts this text between the members; who reads them looks for it, and parses what looks different.
 */
export const PACKET = {
  pattern: '{"pattern":',
  data: ',"data":',
  id: ',"id":"',
  idEnd: '"',
  metadata: ',"metadata":',
  end: '}',
} as const;

/**
 * The text around the members of a reply, `{"response":…,"isDisposed":true,"id":"…"}`, in the order in which Nest's servers
 * write them. `isDisposed` says that it is the last one. A reply that ends a request without a value has no first member.
 */
export const REPLY = {
  response: '{"response":',
  error: '{"err":',
  last: ',"isDisposed":true',
  id: ',"id":"',
  idEnd: '"',
  status: ',"status":',
  end: '}',
} as const;
