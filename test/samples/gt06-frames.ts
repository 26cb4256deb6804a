/**
 * What GT06 trackers say, byte by byte, written by the protocol's public description. Check sums are of another implementation;
 * that of `loginAcknowledged` stands in the description itself.
 *
 * start · length · protocol number · content · serial number · check sum · stop
 */
const frames = {
  /** IMEI 861234567890123, the frame that it counts as 1. */
  login: '7878 0d 01 0861234567890123 0001 20b7 0d0a',
  loginAcknowledged: '7878 05 01 0001 d9dc 0d0a',
  /** The same, after a restart of which nobody knows. */
  loginAgain: '7878 0d 01 0861234567890123 0007 4581 0d0a',
  loginAgainAcknowledged: '7878 05 01 0007 bcea 0d0a',
  /** IMEI 861234567890131, with a model and a time zone behind it. */
  otherLogin: '7878 11 01 0861234567890131 2001 3201 0001 29b5 0d0a',
  /** With letters in its number. */
  noImei: '7878 0d 01 fedcba9876543210 0001 a78e 0d0a',
  /** Ignition on, charging, battery 6, signal 4. */
  heartbeat: '7878 0a 13 06 06 04 0002 0002 7ff2 0d0a',
  heartbeatAcknowledged: '7878 05 13 0002 db6a 0d0a',
  /** 2026-11-28 01:02:03, 7 satellites, 38.7223° N, 9.1393° W, 42 km/h to the west (270°); a cell of the network. */
  lisbon: '7878 1f 12 1a0b1c010203 c7 04278a2c 00fb04b4 2a 1d0e 010c 03 04d2 00abcd 0003 dacd 0d0a',
  /** 13:14:15, 5 satellites, 33.8568° S, 151.2153° E, standing, last seen heading east (90°), no fix; ignition on. */
  sydney: '7878 22 22 1a0b1c0d0e0f c5 03a1e7a0 10394094 00 005a 01f9 01 1002 00beef 01 00 00 0004 b916 0d0a',
  /** One that ends within its date. */
  shortPosition: '7878 06 12 00 0003 3ca3 0d0a',
  /** The same as `sydney`, with a length of two bytes. */
  sydneyLong:
    '7979 0022 22 1a0b1c0d0e0f c5 03a1e7a0 10394094 00 005a 01f9 01 1002 00beef 01 00 00 0004 d84e 0d0a',
  /** Something that the gateway does nothing about. */
  information: '7979 0008 94 0a0123 0009 2bac 0d0a',
  /** `STATUS`, the first and the second command on a connection. */
  statusCommand: '7878 10 80 0a 00000001 535441545553 0001 425f 0d0a',
  secondStatusCommand: '7878 10 80 0a 00000002 535441545553 0002 a6c3 0d0a',
  /** To the first: `Battery:4.1V`, in English. */
  acknowledgement: '7878 18 15 10 00000001 426174746572793a342e3156 0002 0005 3ba8 0d0a',
  /** To the second: `DONE`. */
  secondAcknowledgement: '7878 10 15 08 00000002 444f4e45 0002 0006 d229 0d0a',
  /** To the second: `Lisboa, Belém`, in UTF-16. */
  longAcknowledgement:
    '7979 0024 21 00000002 02 004c006900730062006f0061002c002000420065006c00e9006d 0006 9ddf 0d0a',
  /** To a command that nobody sent. */
  strayAcknowledgement: '7878 0c 15 06 00001234 6e6f 0006 a9e0 0d0a',
};

export type Gt06FrameName = keyof typeof frames;

/** The bytes of a frame. */
export function gt06(name: Gt06FrameName): Buffer {
  return Buffer.from(frames[name].replaceAll(' ', ''), 'hex');
}
