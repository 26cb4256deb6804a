import { describe, expect, it } from '@jest/globals';
import { Child } from '../kit/child.js';
import { Peer } from '../kit/peer.js';
import { acceptQueue } from '../kit/process-stats.js';
import { socketEnd } from '../kit/socket-table.js';
import { until } from '../kit/until.js';

const MiB = 1024 * 1024;

describe('a JavaScript thread that is busy for a second', () => {
  it('C8: stalls neither accepting nor the flush of pending output nor the timer wheel', async () => {
    const child = Child.scenario('blocked', { loops: 2 });
    const { port } = await child.report('port');
    const reader = await Peer.connect(port);
    reader.write('fill');
    const blocker = (await Peer.connect(port)).read();
    await until(() => socketEnd(reader.port, port)!.receiveQueue > 0, 'the output has begun');
    blocker.write('block');
    await child.report('blocked');

    reader.read();
    await Peer.connectAll(50, port);
    await until(() => acceptQueue(port) === 0, 'all are accepted');
    await until(() => reader.length >= 8 * MiB, 'all output is flushed');
    expect(child.lines.some((line) => line.includes('unblocked'))).toBe(false);
    child.say('go on');
    expect(await child.report('unblocked')).toMatchObject({ accepted: 50 });
    expect(await blocker.text(4)).toBe('done');
    expect((await child.report('skipped')).skipped).toBeGreaterThan(10);
  });

  it('C8: nor the time-outs of connections', async () => {
    const child = Child.scenario('blocked', { loops: 2, idleTimeout: 300 });
    const { port } = await child.report('port');
    const blocker = (await Peer.connect(port)).read();
    blocker.write('block');
    await child.report('blocked');
    const silent = (await Peer.connect(port)).read();
    await until(() => silent.closed, 'the silent peer is idled out');
    expect(child.lines.some((line) => line.includes('unblocked'))).toBe(false);
    child.say('go on');
    await child.report('unblocked');
  });
});
