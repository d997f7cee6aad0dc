// One link to a server, on the thread of the connection: frames out, frames in, and who waits for which answer.
//
// A request waits for its response, for the end of the link, whose reason every later call repeats, or until the server has
// said nothing of it for too long. What the server asks goes to the test's thread (Questions).
import { create, fromBinary } from '@bufbuild/protobuf';

import { Questions } from './questions.js';
import type { Patience } from './post.js';
import type { Transport } from './transports.js';
import { FrameSchema, Role, type Frame, type HelloReply, type Response } from './v1/frame_pb.js';
import { ProgressSchema } from './v1/shim_pb.js';
import { StatusSchema } from './v1/status_pb.js';
import { Cutter, FRAME_MOST, packed } from './wire.js';

const MAGIC = 0x584d4443;
const VERSION = 1;
const SERVICE = 'cmdmox.v1.ControlService';
const UNKNOWN = 2; // the code of google.rpc for a failure that only its reason tells

export interface Fault {
  reason: string;
  message: string;
}

export interface Listener {
  state(state: { pid?: number; silent?: boolean; broken?: Fault }): void;
  ask(id: number, method: string, payload: Uint8Array): void;
}

interface Waiter {
  resolve(payload: Uint8Array): void;
  reject(fault: Fault): void;
  method: string;
  timer: NodeJS.Timeout | undefined;
}

export class Link {
  readonly questions: Questions;
  private readonly waiting = new Map<number, Waiter>();
  private readonly greeting: Promise<HelloReply>;
  private greeted!: { resolve(reply: HelloReply): void; reject(fault: Fault): void };
  private nextId = 1;
  private frameMost = FRAME_MOST;
  private broken: Fault | undefined;
  private silent = false;

  constructor(private readonly transport: Transport, private readonly patience: Patience, private readonly listener: Listener) {
    this.questions = new Questions(listener.ask, (id, payload) => this.respond(id, payload));
    this.greeting = new Promise((resolve, reject) => {
      this.greeted = { resolve, reject };
    });
    this.greeting.catch(() => {}); // whoever waits for it hears of it
    const cutter = new Cutter((frame) => this.take(frame));
    transport.listen({
      data: (data) => this.read(cutter, data),
      end: (why) => this.end({ reason: 'LINK_CLOSED', message: why }),
      failed: (why) => this.end({ reason: 'NO_SERVER', message: why }),
    });
    if (transport.pid) listener.state({ pid: transport.pid });
  }

  /** Says hello and waits for the answer; the link can be used from then on. */
  async greet(software: string): Promise<void> {
    this.send(create(FrameSchema, {
      body: {
        case: 'hello',
        value: {
          magic: MAGIC, minVersion: VERSION, maxVersion: VERSION, role: Role.CONTROLLER, software, maxFrameBytes: FRAME_MOST, silenceMs: this.patience,
        },
      },
    }));
    const timer = this.patience ? setTimeout(() => this.neverGreeted(), this.patience) : undefined;
    try {
      const { result } = await this.greeting;
      if (result.case !== 'ok') throw this.end(result.value ?? { reason: 'BAD_HELLO', message: 'the server answered with nothing' });
      if (result.value.version !== VERSION) {
        throw this.end({
          reason: 'VERSION_MISMATCH',
          message: `the server speaks version ${result.value.version} of the protocol, this package version ${VERSION}: use those of one release`,
        });
      }
      this.frameMost = result.value.maxFrameBytes || FRAME_MOST;
    } finally {
      clearTimeout(timer);
    }
  }

  private neverGreeted(): void {
    this.setSilent(true);
    this.end({
      reason: 'DEADLINE_EXCEEDED',
      message: `the server did not answer within ${this.patience / 1000} s: it hangs, or is none of cmdmox`,
    });
  }

  /** Makes a request of ControlService; the payload of its response. */
  call(method: string, payload: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.broken) return reject(this.broken);
      const id = this.request(method, payload);
      if (typeof id !== 'number') return reject(id);
      const timer = this.patience ? setTimeout(() => this.giveUp(id), this.patience) : undefined;
      this.waiting.set(id, { resolve, reject, method, timer });
    });
  }

  /** Makes a request and does not wait. */
  tell(method: string, payload: Uint8Array): void {
    if (!this.broken) this.request(method, payload);
  }

  private request(method: string, payload: Uint8Array): number | Fault {
    const id = this.nextId;
    this.nextId += 2;
    return this.send(create(FrameSchema, { id, body: { case: 'request', value: { method: `${SERVICE}/${method}`, payload } } })) ?? id;
  }

  private giveUp(id: number): void {
    const waiter = this.waiting.get(id);
    this.waiting.delete(id);
    this.setSilent(true);
    waiter?.reject({
      reason: 'DEADLINE_EXCEEDED',
      message: `the server has said nothing of ${waiter.method} for ${this.patience / 1000} s: it is stopped, or the machine is overloaded`,
    });
  }

  /** Answers a request of the server, once; what cannot be sent is answered with why. */
  respond(id: number, answer: Uint8Array | Fault): void {
    if (!this.questions.close(id) || this.broken) return;
    const fault = this.sendResponse(id, answer);
    if (fault) this.sendResponse(id, fault);
  }

  private sendResponse(id: number, answer: Uint8Array | Fault): Fault | undefined {
    const result = answer instanceof Uint8Array
      ? { case: 'payload' as const, value: answer }
      : { case: 'error' as const, value: create(StatusSchema, { code: UNKNOWN, reason: answer.reason, message: answer.message }) };
    return this.send(create(FrameSchema, { id, body: { case: 'response', value: { result } } }));
  }

  private send(frame: Frame): Fault | undefined {
    const { prefix, body } = packed(frame);
    if (body.length > this.frameMost) {
      return {
        reason: 'FRAME_TOO_LARGE',
        message: `this takes ${body.length} bytes, and the server takes at most ${this.frameMost} at once: give less output, arguments or files`,
      };
    }
    this.transport.write(prefix, body);
    return undefined;
  }

  private read(cutter: Cutter, data: Buffer): void {
    if (this.broken) return;
    try {
      cutter.add(data);
    } catch (error) {
      this.end({ reason: 'BAD_FRAME', message: `what the server says is no frame of cmdmox: ${(error as Error).message}` });
    }
  }

  private take(frame: Frame): void {
    this.setSilent(false);
    const { body } = frame;
    if (body.case === 'response') this.takeResponse(frame.id, body.value);
    else if (body.case === 'request') this.questions.take(frame.id, body.value.method, body.value.payload);
    else if (body.case === 'helloReply') this.takeGreeting(body.value);
    else if (body.case === 'notify' && body.value.topic === ProgressSchema.typeName) {
      this.waiting.get(fromBinary(ProgressSchema, body.value.payload).requestId)?.timer?.refresh();
    } else if (body.case === 'goAway') {
      this.end({ reason: body.value.status?.reason ?? '', message: `the server closed the link: ${body.value.status?.message ?? ''}` });
    }
  }

  private takeResponse(id: number, { result }: Response): void {
    const waiter = this.waiting.get(id);
    this.waiting.delete(id);
    clearTimeout(waiter?.timer);
    if (result.case === 'error') waiter?.reject(result.value);
    else waiter?.resolve(result.value ?? new Uint8Array());
  }

  private takeGreeting(reply: HelloReply): void {
    this.greeted.resolve(reply);
    if (reply.result.case === 'error') this.end(reply.result.value); // the end of the link comes next, and the first reason stays
  }

  /** Ends the link: all who wait, and all who come, get this reason. The first one stays. */
  private end({ reason, message }: Fault): Fault {
    if (this.broken) return this.broken;
    this.broken = { reason, message };
    this.listener.state({ broken: this.broken });
    this.greeted.reject(this.broken);
    for (const waiter of this.waiting.values()) {
      clearTimeout(waiter.timer);
      waiter.reject(this.broken);
    }
    this.waiting.clear();
    this.questions.end();
    return this.broken;
  }

  /** Ends the link and what is behind it, when that has read what was sent. */
  close(why: string): Promise<void> {
    this.end({ reason: 'LINK_CLOSED', message: why });
    return this.transport.close(this.silent);
  }

  private setSilent(silent: boolean): void {
    if (silent === this.silent) return;
    this.silent = silent;
    this.listener.state({ silent });
  }
}

