import { describe, expect, it } from '@jest/globals';
import { ClientTCP } from '@nestjs/microservices';
import { GevClient, GevRecordBuilder } from 'nestjs-gev';
import { onCleanup } from '../kit/cleanup.js';
import { serveEcho } from '../kit/frames.js';
import { clientOf, Subscriber } from '../kit/rpc-client.js';
import { settled, until } from '../kit/until.js';

type Client = Pick<ClientTCP, 'connect' | 'on'> & { close(): unknown };

const ignore = (): void => undefined;
const logger = { log: ignore, warn: ignore, error: ignore };

const clients: Record<string, (port: number) => Client> = {
  ClientTCP: (port) => new ClientTCP({ host: '127.0.0.1', port }),
  GevClient: (port) =>
    new GevClient({ host: '127.0.0.1', port, loops: 0, logger, reconnect: false }) as never,
};

/** The port of nobody. */
async function freePort(): Promise<number> {
  const { port, close } = await serveEcho({ loops: 0 });
  await close();
  return port;
}

describe.each(Object.keys(clients))('a %s', (name) => {
  const make = (port: number): Client => {
    const client = clients[name]!(port);
    onCleanup(() => client.close());
    return client;
  };

  it('N4: tells of connect and close, whichever side has closed', async () => {
    const service = await serveEcho({ loops: 0 });
    const client = make(service.port);
    const events: string[] = [];
    client.on('connect', () => events.push('connect'));
    client.on('close', () => events.push('close'));
    await client.connect();
    await until(() => events.length === 1);
    await client.close();
    await until(() => events.length === 2);
    expect(events).toEqual(['connect', 'close']);

    const other = make(service.port);
    other.on('connect', () => events.push('connect'));
    other.on('close', () => events.push('close'));
    await other.connect();
    await service.close();
    await until(() => events.length === 4);
    expect(events.slice(2)).toEqual(['connect', 'close']);
  });

  it('N4: connect() resolves when the client is closed meanwhile', async () => {
    const { port } = await serveEcho({ loops: 0 });
    const client = make(port);
    const connecting = client.connect();
    await client.close();
    await expect(connecting).resolves.toBeUndefined();
  });
});

describe('an aborted signal', () => {
  it('N4: withdraws a request or event that waits for a connection: it is never sent', async () => {
    const port = await freePort();
    const client = clientOf({ port, loops: 0, offlineQueue: 10, reconnect: { initialDelay: 100 } });
    const abort = new AbortController();
    const record = new GevRecordBuilder('withdrawn').setSignal(abort.signal).build();
    const withdrawn = [client.emit('note', record), client.send('echo', record)].map(
      (result) => new Subscriber(result),
    );
    const kept = new Subscriber(client.emit('note', 'kept'));
    await until(() => client.stats().queued === 3);
    abort.abort(new Error('not wanted'));
    expect(client.stats().queued).toBe(1);
    const aborted = expect.objectContaining({
      ...{ code: 'ERR_GEV_ABORTED', cause: expect.objectContaining({ message: 'not wanted' }) },
    });
    expect(withdrawn.map(({ seen }) => seen)).toEqual([[aborted], [aborted]]);
    expect(new Subscriber(client.emit('note', record)).seen).toEqual([aborted]);
    const { notes } = await serveEcho({ loops: 0, port });
    await until(() => kept.last === 'end' && notes.length > 0);
    await settled(() => notes.length);
    expect(notes).toEqual(['kept']);
    expect(client.stats()).toMatchObject({ queued: 0, inFlight: 0 });
  });

  it('N4: does nothing to an event that was sent', async () => {
    const { port, notes } = await serveEcho({ loops: 0 });
    const client = clientOf({ port, loops: 0 });
    await client.connect();
    const abort = new AbortController();
    const sent = new Subscriber(client.emit('note', new GevRecordBuilder(1).setSignal(abort.signal).build()));
    abort.abort();
    await until(() => notes.length === 1 && sent.last === 'end');
  });
});
