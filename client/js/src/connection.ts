// The thread of the connection: a Worker that the test's thread makes with its first session.
//
// It takes orders by a port, and rings a bell with each word that it says, so that the test's thread can wait for one
// without its event loop. It never waits itself: a test that is busy keeps no server from being read.
import { workerData } from 'node:worker_threads';

import { Link } from './link.js';
import { GONE, ring, sayStarted, type Order, type ThreadData, type Word } from './post.js';
import { connectTo, startServer } from './transports.js';

const { port, bell, started } = workerData as ThreadData;
const links = new Map<number, Link>();

function say(word: Word): void {
  port.postMessage(word, 'payload' in word ? [word.payload.buffer as ArrayBuffer] : []);
  ring(bell);
}

process.on('exit', () => {
  Atomics.store(bell, GONE, 1);
  ring(bell);
});

function answered(n: number, answer: Promise<Uint8Array | undefined>): void {
  answer.then(
    (payload) => say({ say: 'done', n, payload: new Uint8Array(payload ?? []) }),
    (error: { reason?: string; message: string }) => say({ say: 'failed', n, reason: error.reason ?? 'INTERNAL', message: error.message }),
  );
}

async function open(order: Order & { do: 'start' | 'connect' }): Promise<undefined> {
  const made = order.do === 'start' ? startServer(order.program, order.env) : connectTo(order.path, order.address);
  const transport = made instanceof Promise ? await made : made;
  const link = new Link(transport, order.patience, {
    state: (state) => say({ say: 'state', link: order.link, ...state }),
    ask: (id, method, payload) => say({ say: 'ask', link: order.link, id, method, payload: new Uint8Array(payload) }),
  });
  links.set(order.link, link);
  try {
    await link.greet(order.software);
  } catch (error) {
    links.delete(order.link);
    await link.close('the server was of no use');
    throw error;
  }
  return undefined;
}

async function close(number: number): Promise<undefined> {
  const link = links.get(number);
  links.delete(number);
  await link?.close('the server was ended');
  return undefined;
}

port.on('message', (order: Order) => {
  const link = links.get(order.link);
  switch (order.do) {
    case 'start':
    case 'connect':
      return answered(order.n, open(order));
    case 'call':
      return answered(order.n, link ? link.call(order.method, order.payload) : Promise.reject({ reason: 'LINK_CLOSED', message: 'the link has ended' }));
    case 'end':
      return answered(order.n, close(order.link));
    case 'tell':
      return link?.tell(order.method, order.payload);
    case 'taken':
      return link?.questions.taken(order.id);
    case 'deadline':
      return link?.questions.setDeadline(order.session, order.ms);
    case 'respond':
      return link?.respond(order.id, 'payload' in order ? order.payload : order);
  }
});

sayStarted(started);
