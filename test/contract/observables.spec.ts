import { describe, expect, it } from '@jest/globals';
import { GevClient } from 'nestjs-gev';
import { AsyncLocalStorage } from 'node:async_hooks';
import { map, publish, refCount } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { serveRpc } from '../kit/rpc.js';
import { serve } from '../kit/serve.js';
import { until } from '../kit/until.js';

const boom = (what: string) => (): never => {
  throw new Error(`${what} fails`);
};

describe('status', () => {
  const user = new AsyncLocalStorage<string>();

  it('U1, X4: a subscriber of the client that throws ends no process; each is told in its own context', async () => {
    const lines: string[] = [];
    const write = (line: string): void => void lines.push(line);
    const { port } = await serveRpc({ loops: 0 }, []);
    const client = new GevClient({
      ...{ host: '127.0.0.1', port },
      logger: { log: write, warn: write, error: write },
    });
    onCleanup(() => client.close());
    const seen: string[] = [];
    user.run('first', () => client.status.subscribe(boom('a subscriber')));
    user.run('second', () =>
      client.status.subscribe((status) => seen.push(`${status} ${String(user.getStore())}`)),
    );
    await user.run('caller', () => client.connect());
    await client.close();
    expect(seen).toEqual(['connected second', 'disconnected second']);
    await new Promise((resolve) => setTimeout(resolve, 5)); // RxJS would throw in a timer
    expect(lines[0]).toBe('A subscriber of status failed: a subscriber fails');
  });

  it('X4: subscribers of the server are told in their own context', async () => {
    const { server, close } = await serve();
    const seen: string[] = [];
    user.run('subscriber', () =>
      server.status.subscribe((status) => seen.push(`${status} ${String(user.getStore())}`)),
    );
    await user.run('closer', close);
    expect(seen).toEqual(['connected subscriber', 'disconnected subscriber']);
  });
});

describe('what operators make of an Observable of ours', () => {
  it('U1: a subscriber behind publish() and refCount() that throws is logged for what it threw', async () => {
    const { port, connection, lines } = await serve();
    const peer = await Peer.connect(port);
    const { messages$ } = await connection();
    const seen: string[] = [];
    messages$.pipe(publish(), refCount(), map(boom('an operator'))).subscribe();
    messages$.subscribe((data) => seen.push(data.toString()));
    peer.write('x');
    await until(() => lines.length > 0);
    expect([seen, lines[0]]).toEqual([
      ['x'],
      expect.stringMatching(/messages\$ failed .*: an operator fails$/),
    ]);
  });

  it('U1: an error for an observer that has null for a handler is logged', async () => {
    const { port, connection, lines } = await serve();
    const peer = await Peer.connect(port);
    const { messages$ } = await connection();
    messages$.pipe(map(boom('an operator'))).subscribe({ error: null } as object);
    peer.write('x');
    await until(() => lines.length > 0);
    expect(lines[0]).toContain('an operator fails');
  });
});
