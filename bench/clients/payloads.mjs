// What is sent to the server of payloads.mjs, and what comes back: by PAYLOAD `object` or `binary`, and by CODEC how bytes travel.
import { isDeepStrictEqual } from 'node:util';

const KIND = {
  /** Bytes as they are. */
  msgpack: { wrap: (bytes) => bytes, unwrap: (value) => value },
  /** As text. */
  'json-base64': {
    wrap: (bytes) => bytes.toString('base64'),
    unwrap: (text) => Buffer.from(text, 'base64'),
  },
  /** As what Buffer makes of itself. */
  'json-buffer': { wrap: (bytes) => bytes, unwrap: ({ data }) => Buffer.from(data) },
};

/** How bytes travel with a codec. */
export const bytesBy = (codec) => KIND[codec];

/** @returns {import('./call-load.mjs').Task} */
export function taskOf(payload, codec) {
  return payload === 'object' ? objects() : binaries(KIND[codec]);
}

function objects() {
  const orders = Array.from({ length: 97 }, (_, index) => ({
    id: 10_000 + index * 37,
    customer: `customer ${index}`,
    paid: index % 2 === 0,
    total: index * 1.25,
    items: [
      { sku: `A-${index}`, count: 1 + (index % 5) },
      { sku: 'B-7', count: 2 },
    ],
  }));
  return {
    pattern: 'echo',
    requests: orders.map((order) => ({
      make: () => order,
      // Each is looked through now and then: it is the codecs that are to be measured.
      isRight: (value) => value.id === order.id && (order.id % 16 !== 0 || isDeepStrictEqual(value, order)),
    })),
  };
}

function binaries({ wrap, unwrap }) {
  const chunks = Array.from({ length: 17 }, (_, index) =>
    Buffer.from(Uint8Array.from({ length: 16 * 1024 }, (_, at) => (at * 31 + index * 7) & 0xff)),
  );
  return {
    pattern: 'echo',
    requests: chunks.map((bytes) => ({
      make: () => wrap(bytes),
      isRight: (value) => bytes.equals(unwrap(value)),
    })),
  };
}
