// What a session and its doubles ask of the server: the session's id in every request.
import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf';

import { Callbacks } from './callbacks.js';
import { errorOf } from './errors.js';
import { Invocation } from './invocation.js';
import type { Server } from './server.js';
import { buffer } from './text.js';
import * as v1 from './v1/control_pb.js';
import type { DoubleSchema } from './v1/double_pb.js';

const PAGE = 64; // calls asked for at once

/** A session on a server. */
export class Control {
  readonly created: v1.CreateSessionResponse;
  readonly callbacks: Callbacks;
  readonly id: Buffer;

  constructor(readonly server: Server, request: MessageInitShape<typeof v1.CreateSessionRequestSchema>) {
    this.created = server.call('CreateSession', v1.CreateSessionRequestSchema, request, v1.CreateSessionResponseSchema);
    this.id = buffer(this.created.sessionId);
    this.callbacks = new Callbacks((callId, offset) => this.readStdin(callId, offset));
    server.callbacks.set(this.id.toString('hex'), this.callbacks);
  }

  /** Nothing of it is asked any more. */
  forget(): void {
    this.callbacks.end();
    this.server.callbacks.delete(this.id.toString('hex'));
  }

  ask<Q extends DescMessage, A extends DescMessage>(method: string, question: Q, request: MessageInitShape<Q>, answer: A): MessageShape<A> {
    return this.server.call(method, question, { ...request, sessionId: this.id }, answer);
  }

  /** stdin of a call from there on, as far as it was kept. */
  private readStdin(callId: bigint, offset: number): Buffer {
    const pieces: Uint8Array[] = [];
    for (let at = offset; ;) {
      const request = { callId, offset: BigInt(at) };
      const answer = this.ask('ReadCallStdin', v1.ReadCallStdinRequestSchema, request, v1.ReadCallStdinResponseSchema);
      pieces.push(answer.data);
      at += answer.data.length;
      if (!answer.data.length || at >= Number(answer.length)) return Buffer.concat(pieces);
    }
  }

  update(doubleId: number, patch: MessageInitShape<typeof DoubleSchema>): void {
    this.ask('UpdateDouble', v1.UpdateDoubleRequestSchema, { doubleId: BigInt(doubleId), patch }, v1.UpdateDoubleResponseSchema);
  }

  * pages(doubleId: number, command: Uint8Array): Generator<v1.ListInvocationsResponse, void> {
    let pageToken: Uint8Array = new Uint8Array();
    do {
      const request = { doubleId: BigInt(doubleId), command, pageSize: PAGE, pageToken };
      const page = this.ask('ListInvocations', v1.ListInvocationsRequestSchema, request, v1.ListInvocationsResponseSchema);
      yield page;
      pageToken = page.nextPageToken;
    } while (pageToken.length);
  }

  invocations(doubleId = 0, command: Uint8Array = new Uint8Array()): Invocation[] {
    const found: Invocation[] = [];
    for (const page of this.pages(doubleId, command)) {
      found.push(...page.invocations.map((each) => new Invocation(each, (callId, offset) => this.readStdin(callId, offset))));
    }
    return found;
  }

  count(doubleId = 0, command: Uint8Array = new Uint8Array()): number {
    const request = { doubleId: BigInt(doubleId), command };
    return Number(this.ask('GetCallCount', v1.GetCallCountRequestSchema, request, v1.GetCallCountResponseSchema).count);
  }

  forbidInCallback(name: string): void {
    if (this.callbacks.here()) {
      throw errorOf('BAD_STATE', `${name}: a handler or a predicate may not call it: the call that it answers would wait for itself`);
    }
  }
}
