// The handlers and predicates of a session: their numbers, and what they answer to the server.
//
// They run on the test's thread: from its event loop, or while it waits, in a call of this package or for a command
// (sync_spawn.ts). Whatever a function of the test's throws becomes the failure of the call: error, text and place; and the
// first error is kept, as the cause of what verify() throws.
import { AsyncLocalStorage } from 'node:async_hooks';

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';

import { handled, type HandlerResult } from './answers.js';
import { waitsFor } from './bridge.js';
import { BuilderError, CmdMoxError, errorOf } from './errors.js';
import { Call, type ReadStdin } from './invocation.js';
import { caller, placeOf } from './location.js';
import { PredicateMatcher } from './matchers.js';
import { HANDLE } from './questions.js';
import { holdSpawnSync, releaseSpawnSync, waitsForCommand } from './sync_spawn.js';
import { buffer, decode, describe, printable } from './text.js';
import { HandleRequestSchema, HandleResponseSchema, MatchRequestSchema, MatchResponseSchema } from './v1/callback_pb.js';

/** Answers a call. It may be async, unless the test's thread waits in spawnSync(), execSync() or execFileSync(). */
export type Handler = (call: Call) => HandlerResult | PromiseLike<HandlerResult>;

/** A handler, and how reports call it. */
export interface Named {
  readonly handler: Handler;
  readonly name: string;
}

type Respond = (answer: Uint8Array | CmdMoxError) => void;

/** So many may run at once, one inside of the other: each takes a part of the stack, and a thread where it waits for a
 * command. A question that comes while the test waits for an answer of the server has time, and is not refused for it. */
const MOST = 32;
const ENOUGH = 16;

const running = new AsyncLocalStorage<{ of: Callbacks | undefined }>();
let nested = 0;

/** Those of one session. The numbers begin at 1. */
export class Callbacks {
  /** The first error that a handler or a predicate threw; undefined: none did. */
  failure: { error: unknown } | undefined;
  private readonly items: (Named | PredicateMatcher)[] = [];
  private over = false;

  constructor(private readonly readStdin: ReadStdin) {}

  add(item: Named | PredicateMatcher): number {
    if (this.items.length === 0 && !this.over) holdSpawnSync();
    return this.items.push(item);
  }

  /** The session is over. */
  end(): void {
    if (this.items.length && !this.over) releaseSpawnSync();
    this.over = true;
  }

  /** Whether this is one of them, at work. */
  here(): boolean {
    return running.getStore()?.of === this;
  }

  /** Whether a question that comes now is put better when one of those at work has ended. */
  static deepEnough(): boolean {
    return nested >= ENOUGH && waitsFor() === 'answer';
  }

  /** Has what the server asks answered; now or later, and once. */
  static answer(ofSession: ReadonlyMap<string, Callbacks>, method: string, payload: Uint8Array, respond: Respond): void {
    if (nested >= MOST) {
      respond(errorOf('BAD_STATE', `${MOST} handlers and predicates run already, one inside of the other: let some of them end`));
      return;
    }
    nested++;
    try {
      if (method === HANDLE) {
        const request = fromBinary(HandleRequestSchema, payload);
        const callbacks = find(ofSession, request.sessionId);
        const call = new Call(request.invocation ?? missing('invocation'), request.envBlock, callbacks.readStdin);
        callbacks.handle(Number(request.handler), call, respond);
      } else {
        const request = fromBinary(MatchRequestSchema, payload);
        find(ofSession, request.sessionId).match(Number(request.callback), buffer(request.value), respond);
      }
    } catch (error) { // whoever called the command waits for a word
      respond(error instanceof CmdMoxError ? error : errorOf('INTERNAL', `the client cannot answer: ${describe(error)}`));
    } finally {
      nested--;
    }
  }

  private handle(number: number, call: Call, respond: Respond): void {
    const item = this.items[number - 1];
    if (!item || item instanceof PredicateMatcher) throw errorOf('NOT_FOUND', `this session has no handler ${number}`);
    const fail = (failure: string): void => {
      const outcome = { case: 'failure' as const, value: printable(failure) };
      respond(toBinary(HandleResponseSchema, create(HandleResponseSchema, { outcome })));
    };
    const store: { of: Callbacks | undefined } = { of: this };
    const settle = (result: unknown): void => {
      store.of = undefined;
      try {
        respond(toBinary(HandleResponseSchema, handled(result)));
      } catch (error) {
        fail(error instanceof BuilderError ? error.message : this.failed(error)); // the server says whose
      }
    };
    const broke = (error: unknown): void => {
      store.of = undefined;
      fail(this.failed(error));
    };
    let result: unknown;
    try {
      result = running.run(store, () => item.handler(call));
    } catch (error) {
      broke(error);
      return;
    }
    if (!isThenable(result)) {
      settle(result);
    } else if (waitsForCommand()) {
      Promise.resolve(result).catch(() => {}); // it was told already
      store.of = undefined;
      fail(`it returned a promise, which settles only when the test's thread goes on, and that waits in spawnSync(), execSync() or execFileSync() (${
        caller()}): return the answer itself, or start what it waits for there with spawn(), exec() or execFile()`);
    } else {
      Promise.resolve(result).then(settle, broke).catch(() => {
        respond(errorOf('INTERNAL', `${item.name}: its result cannot be told`));
      });
    }
  }

  private match(number: number, value: Buffer, respond: Respond): void {
    const predicate = this.items[number - 1];
    if (!(predicate instanceof PredicateMatcher)) throw errorOf('NOT_FOUND', `this session has no predicate ${number}`);
    const say = (answer: { matched: boolean } | { failure: string }): void => respond(toBinary(MatchResponseSchema, create(MatchResponseSchema, answer)));
    const judge = predicate.judge as (value: string | Buffer) => unknown;
    try {
      const said = running.run({ of: this }, () => judge(predicate.asBytes ? value : decode(value)));
      if (isThenable(said)) {
        Promise.resolve(said).catch(() => {});
        say({ failure: `it returned a promise, which is always true: give a plain function, not an async one` });
      } else {
        say({ matched: Boolean(said) });
      }
    } catch (error) {
      say({ failure: printable(this.failed(error)) });
    }
  }

  private failed(error: unknown): string {
    this.failure ??= { error };
    if (!isError(error)) return `threw ${describe(error)}`;
    const place = placeOf(stackOf(error));
    return `${textOf(error)}${place ? ` (${place})` : ''}`;
  }
}

function missing(what: string): never {
  throw errorOf('BAD_PAYLOAD', `the server asks without ${what}`);
}

function find(ofSession: ReadonlyMap<string, Callbacks>, sessionId: Uint8Array): Callbacks {
  const found = ofSession.get(Buffer.from(sessionId).toString('hex'));
  if (!found) throw errorOf('NOT_FOUND', 'this client has no such session any more');
  return found;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

function isError(value: unknown): value is Error {
  try {
    return value instanceof Error;
  } catch {
    return false; // a Proxy that was revoked, or throws
  }
}

function stackOf(error: Error): string | undefined {
  try {
    return typeof error.stack === 'string' ? error.stack : undefined;
  } catch {
    return undefined; // a getter of the test's
  }
}

function textOf(error: Error): string {
  try {
    return `${error.name}: ${error.message}`;
  } catch (other) {
    return `an error: what it says cannot be told, for its message throws ${describe(other)}`;
  }
}
