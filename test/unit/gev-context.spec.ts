import { describe, expect, it } from '@jest/globals';
import { Subject } from 'rxjs';
import { BaseRpcContext } from '@nestjs/microservices';
import { GevContext, type GevContextArgs, MessageContext } from '../../src/context/gev.context.js';
import type { CloseReason } from '../../src/core/close-reason.js';
import type { GevConnection } from '../../src/core/connection.js';

function make() {
  const closed$ = new Subject<CloseReason>();
  const context = new GevContext([{ closed$ } as unknown as GevConnection, 'pattern']);
  return { closed$, context };
}

describe('the signal of a context', () => {
  it('C9: fires when the connection closes, and costs nothing before it is asked for', () => {
    const { closed$, context } = make();
    expect(closed$.observed).toBe(false);
    const { signal } = context;
    expect(context.signal).toBe(signal);
    closed$.next('peer');
    expect(signal.aborted).toBe(true);
    expect(closed$.observed).toBe(false);
  });

  it('C9: fires when the call is aborted, before it was asked for or after', () => {
    for (const first of [true, false]) {
      const { closed$, context } = make();
      if (first) expect(context.signal.aborted).toBe(false);
      context.abort('cancelled');
      expect(context.signal.aborted).toBe(true);
      expect(closed$.observed).toBe(false);
    }
  });

  it('C9: leaves nothing with the connection when the call has ended', () => {
    const { closed$, context } = make();
    const { signal } = context;
    context.release();
    expect(closed$.observed).toBe(false);
    closed$.next('peer');
    expect(signal.aborted).toBe(false);
    const late = make();
    late.context.release();
    expect(late.context.signal.aborted).toBe(false);
    expect(late.closed$.observed).toBe(false);
  });
});

describe('MessageContext', () => {
  it('C9: makes what the constructor of GevContext makes, whatever fields Nest gives its class', () => {
    const args: GevContextArgs = [{} as GevConnection, 'pattern'];
    const made = new MessageContext(args);
    expect(made).toBeInstanceOf(GevContext);
    expect(made).toBeInstanceOf(BaseRpcContext);
    expect(made.constructor).toBe(GevContext);
    expect(Object.entries(made)).toEqual(Object.entries(new GevContext(args)));
  });
});
