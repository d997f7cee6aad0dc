// What the server asks, until the test's thread has answered it.
//
// Handlers and predicates run on the test's thread. One that blocks in something else than this package knows (a loop, a
// synchronous read, Atomics.wait()) does not take a question at all; shortly before the server would give up, the answer is
// given here, and says so.
import { fromBinary } from '@bufbuild/protobuf';

import type { Fault } from './link.js';
import { HandleRequestSchema, MatchRequestSchema } from './v1/callback_pb.js';

export const HANDLE = 'cmdmox.v1.CallbackService/Handle';
export const MATCH = 'cmdmox.v1.CallbackService/Match';

const DEADLINE = 30_000; // ms that a handler may take where its session says nothing
const EARLIER = 0.8; // of the deadline: the server's own word says less
const TIMER_MOST = 2 ** 31 - 1; // ms of Node's timers; one that is set to more is over at once

export class Questions {
  private readonly open = new Map<number, NodeJS.Timeout | undefined>();
  private readonly deadlines = new Map<string, number>();

  constructor(
    private readonly ask: (id: number, method: string, payload: Uint8Array) => void,
    private readonly respond: (id: number, fault: Fault) => void,
  ) {}

  setDeadline(session: string, ms: number): void {
    this.deadlines.set(session, ms);
  }

  take(id: number, method: string, payload: Uint8Array): void {
    this.open.set(id, undefined);
    if (method !== HANDLE && method !== MATCH) { // at once: nothing of the test's is asked
      this.respond(id, { reason: 'UNIMPLEMENTED', message: `this client does not implement ${method.slice(0, 80)}` });
      return;
    }
    const { sessionId } = fromBinary(method === HANDLE ? HandleRequestSchema : MatchRequestSchema, payload);
    const ms = this.deadlines.get(Buffer.from(sessionId).toString('hex')) ?? DEADLINE;
    this.open.set(id, setTimeout(() => this.nobodyTook(id, ms), Math.min(ms * EARLIER, TIMER_MOST)));
    this.ask(id, method, payload);
  }

  private nobodyTook(id: number, ms: number): void {
    this.respond(id, {
      reason: 'DEADLINE_EXCEEDED',
      message: `the test's thread was busy for ${ms * EARLIER} ms and could not run the handler or predicate: it blocks outside of child_process; `
        + 'let it return to its event loop while the command runs',
    });
  }

  /** The test's thread is at it. */
  taken(id: number): void {
    clearTimeout(this.open.get(id));
  }

  /** It is about to be answered; false: it was. */
  close(id: number): boolean {
    clearTimeout(this.open.get(id));
    return this.open.delete(id);
  }

  end(): void {
    for (const timer of this.open.values()) clearTimeout(timer);
    this.open.clear();
  }
}
