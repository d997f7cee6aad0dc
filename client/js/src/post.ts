// What the thread of the test and the thread of the connection say to each other.

/** How long a server may say nothing of a request, ms; 0: as long as it takes. */
export type Patience = number;

/** What the connection is asked; each with a number `n` is answered once. */
export type Order =
  | { do: 'start'; n: number; link: number; program: string; env: Record<string, string | undefined>; software: string; patience: Patience }
  | { do: 'connect'; n: number; link: number; path: string; address: string; software: string; patience: Patience }
  | { do: 'call'; n: number; link: number; method: string; payload: Uint8Array }
  | { do: 'tell'; link: number; method: string; payload: Uint8Array }
  | { do: 'taken'; link: number; id: number }
  | { do: 'respond'; link: number; id: number; payload: Uint8Array }
  | { do: 'respond'; link: number; id: number; reason: string; message: string }
  | { do: 'deadline'; link: number; session: string; ms: number }
  | { do: 'end'; n: number; link: number };

/** What the connection says. */
export type Word =
  | { say: 'done'; n: number; payload: Uint8Array }
  | { say: 'failed'; n: number; reason: string; message: string }
  | { say: 'state'; link: number; pid?: number; silent?: boolean; broken?: { reason: string; message: string } }
  | { say: 'ask'; link: number; id: number; method: string; payload: Uint8Array };

/** What each thread is given. */
export interface ThreadData {
  port: import('node:worker_threads').MessagePort;
  bell: Int32Array;
  /** Not 0: it takes orders. */
  started: Int32Array;
}

/** The places of the bell: how often it rang, and whether the thread that rings it is gone. */
export const RUNG = 0;
export const GONE = 1;

/** Says that this thread takes orders, to the one that has started it. */
export function sayStarted(started: Int32Array): void {
  Atomics.store(started, 0, 1);
  Atomics.notify(started, 0);
}

/** Wakes the thread that waits for a word. */
export function ring(bell: Int32Array): void {
  Atomics.add(bell, RUNG, 1);
  Atomics.notify(bell, RUNG);
}
