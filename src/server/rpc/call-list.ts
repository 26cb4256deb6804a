import { inFreshScope } from '../../engine/fresh-scope.js';
import type { RpcCall } from './rpc-call.js';

/** The calls of one client that are in flight: added and removed without a look-up. */
export class CallList {
  private first: RpcCall | undefined;
  private size = 0;

  get length(): number {
    return this.size;
  }

  add(call: RpcCall): void {
    call.next = this.first;
    if (this.first !== undefined) this.first.previous = call;
    this.first = call;
    this.size++;
  }

  remove(call: RpcCall): void {
    if (call.previous === undefined) this.first = call.next;
    else call.previous.next = call.next;
    if (call.next !== undefined) call.next.previous = call.previous;
    call.previous = call.next = undefined; // whoever keeps it is not to keep the others
    this.size--;
  }

  find(id: unknown): RpcCall | undefined {
    let call = this.first;
    while (call !== undefined && call.id !== id) call = call.next;
    return call;
  }

  /**
   * Calls `visit` for each that is there now, whatever becomes of the others meanwhile. Each has a context of its own: what
   * the serializer or a teardown of one enters the next does not see.
   */
  forEach(visit: (call: RpcCall) => void): void {
    const calls: RpcCall[] = [];
    for (let call = this.first; call !== undefined; call = call.next) calls.push(call);
    for (const call of calls) inFreshScope(() => visit(call));
  }
}
