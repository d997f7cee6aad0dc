// Starts the threads of this package, and waits until each is there.
//
// A thread that dies on its way, as where descriptors or memory are short, says so to nobody who stands still. So each rings
// `started` when it takes orders, and who started it waits for no longer than a thread can take.
import path from 'node:path';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';

import { bell } from './bell.js';
import type { ThreadData } from './post.js';

const STARTING = 10_000; // ms that a thread has for taking orders

/** The port of a thread that runs this file of ours, and takes orders; undefined: it did not start. */
export function startThread(file: string, name: string): MessagePort | undefined {
  const { port1, port2 } = new MessageChannel();
  const started = new Int32Array(new SharedArrayBuffer(4));
  const workerData: ThreadData = { port: port2, bell, started };
  try {
    // What the test's Node was started with, also by NODE_OPTIONS (loaders, an inspector), is not for this thread.
    const worker = new Worker(path.join(__dirname, file), { workerData, transferList: [port2], execArgv: [], env: {}, name });
    worker.on('error', () => {}); // it rings as it goes
    worker.unref();
    if (Atomics.wait(started, 0, 0, STARTING) !== 'timed-out') return port1;
    void worker.terminate();
  } catch {
    // Node says so where it cannot even make its event loop
  }
  port1.close();
  return undefined;
}
