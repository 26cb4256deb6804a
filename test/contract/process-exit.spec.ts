import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { fileURLToPath } from 'node:url';
import { Child, QUIET } from '../kit/child.js';
import { serveRpc } from '../kit/rpc.js';
import { until } from '../kit/until.js';

const script = fileURLToPath(new URL('../kit/children/idle.mjs', import.meta.url));

const notes: unknown[] = [];

@Controller()
class Service {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('slow')
  slow(@Payload() data: unknown): Promise<unknown> {
    return new Promise((resolve) => setTimeout(() => resolve(data), 500));
  }

  @EventPattern('note')
  note(@Payload() data: any): any {
    notes.push(data);
  }
}

describe('the end of a process that leaves servers and clients as they are', () => {
  it.each([
    [0, 0],
    [2, 2],
    [0, 2],
    [2, 0],
  ])(
    'N8: it ends when its servers are closed and its clients idle, not before; servers on %i loops, clients on %i',
    async (loops, clientLoops) => {
      notes.length = 0;
      const { port, server } = await serveRpc({ loops: 0 }, Service);
      const child = Child.start([QUIET, script, `${port}`, `${loops}`, `${clientLoops}`]);
      expect(await child.exit(20_000)).toEqual({ code: 0, signal: null });
      expect(child.lines.map((line) => JSON.parse(line) as unknown)).toEqual([
        { awake: 'awake' },
        { slow: 'slow' },
        { retried: 'ECONNREFUSED' },
        { ended: true, connected: 1 },
      ]);
      expect(child.errors).toEqual([]);
      await until(() => notes.length === 1 && server.stats().open === 0);
    },
  );
});
