// From the test's thread to that of the connection: orders go out by a port, and each call of the API waits for its answer
// here, without the event loop. While it waits, what the server asks is answered, and so it is when the event loop comes by.
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';

import { bell } from './bell.js';
import { errorOf } from './errors.js';
import { GONE, RUNG, type Order, type Word } from './post.js';
import { startThread } from './thread.js';

type Numbered<T> = T extends { n: number } ? Omit<T, 'n'> : never;
type Answer = Word & { say: 'done' | 'failed' };
type Question = Word & { say: 'ask' };

/** Where words about a link go. */
export interface Listener {
  state(state: Word & { say: 'state' }): void;
  /** false: not now, again later. */
  ask(question: Question): boolean;
}

export class Bridge {
  private readonly port: MessagePort;
  private readonly answers = new Map<number, Answer>();
  private readonly waiting = new Set<number>();
  private readonly listeners = new Map<number, Listener>();
  private readonly later: Question[] = [];
  private lastNumber = 0;

  constructor() {
    const port = startThread('connection.js', 'cmdmox');
    if (!port) {
      throw errorOf('NO_SERVER', 'the thread of the connection did not start: descriptors (ulimit -n) or memory are short; make the first session '
        + 'while there are some, or close what is not needed');
    }
    this.port = port;
    port.on('message', (word: Word) => this.take(word));
    port.unref();
  }

  listen(link: number, listener: Listener): void {
    this.listeners.set(link, listener);
  }

  post(order: Order): void {
    this.port.postMessage(order);
  }

  /** Gives an order and waits for its answer. */
  ask(order: Numbered<Order>): Uint8Array {
    return this.answerTo(this.begin(order));
  }

  /** Gives an order; its number. */
  begin(order: Numbered<Order>): number {
    const n = ++this.lastNumber;
    this.waiting.add(n);
    this.post({ ...order, n } as Order);
    return n;
  }

  /** Waits for the answer to it. */
  answerTo(n: number): Uint8Array {
    try {
      waitFor('answer', () => this.answers.has(n) || gone(), [this]);
    } finally {
      this.waiting.delete(n);
    }
    const answer = this.answers.get(n);
    this.answers.delete(n);
    if (!answer && !gone()) throw errorOf('DEADLINE_EXCEEDED', 'this process ends, and the server has said nothing meanwhile: it is stopped, or the machine is overloaded');
    if (!answer) throw errorOf('LINK_CLOSED', 'the thread of the connection has ended: this is a bug of cmdmox, or memory is out');
    if (answer.say === 'failed') throw errorOf(answer.reason, answer.message);
    return answer.payload;
  }

  /** Takes one word that is there; false: there is none. */
  poll(): boolean {
    const question = this.later.shift();
    if (question && this.put(question, true)) return true;
    const found = receiveMessageOnPort(this.port) as { message: Word } | undefined;
    if (found) this.take(found.message);
    return found !== undefined;
  }

  private take(word: Word): void {
    if (word.say === 'done' || word.say === 'failed') {
      if (this.waiting.has(word.n)) this.answers.set(word.n, word);
    } else if (word.say === 'state') {
      this.listeners.get(word.link)?.state(word);
    } else {
      this.put(word, false);
    }
  }

  /** Puts a question to whom it is for; false: it has to wait, at its old place or behind the others. */
  private put(question: Question, first: boolean): boolean {
    if (this.listeners.get(question.link)?.ask(question) ?? true) return true;
    if (first) this.later.unshift(question);
    else this.later.push(question);
    setImmediate(() => { // where nobody waits any more
      if (this.later.length) this.poll();
    });
    return false;
  }
}

let innermost: 'answer' | 'command' | undefined;

/** What this thread waits for, in the innermost of its waits. */
export function waitsFor(): typeof innermost {
  return innermost;
}

function gone(): boolean {
  return Atomics.load(bell, GONE) !== 0;
}

let latest = Infinity; // on the clock of performance.now()

/** The process ends: from now on answers are waited for so many ms, all together. */
export function hurry(ms: number): void {
  latest = Math.min(latest, performance.now() + ms);
}

/** Waits for this until it has happened, or for an answer as long as hurry() lets it, and takes meanwhile what comes from
 * there. */
export function waitFor(what: 'answer' | 'command', happened: () => boolean, from: readonly { poll(): boolean }[]): void {
  const outer = innermost;
  innermost = what;
  try {
    for (;;) {
      const rung = Atomics.load(bell, RUNG);
      do {
        if (happened()) return;
      } while (from.some((each) => each.poll()));
      const most = what === 'answer' ? latest - performance.now() : Infinity;
      if (most <= 0) return;
      Atomics.wait(bell, RUNG, rung, most);
    }
  } finally {
    innermost = outer;
  }
}

let bridge: Bridge | undefined;

const OWNER = Symbol.for('cmdmox/1');

/** Two copies of this package would each hook spawnSync(), and neither would hear of the other's sessions. */
function refuseSecondCopy(): void {
  const everyones = globalThis as unknown as Record<symbol, string>;
  const first = (everyones[OWNER] ??= __dirname);
  if (first !== __dirname) {
    throw errorOf('BAD_STATE', `two copies of this package are used in one process, ${first} and ${__dirname}: they would not see each other's `
      + 'sessions; have one installed (npm dedupe)');
  }
}

/** The one of this thread; made with its first session. */
export function theBridge(): Bridge {
  if (!bridge) refuseSecondCopy();
  return (bridge ??= new Bridge());
}
