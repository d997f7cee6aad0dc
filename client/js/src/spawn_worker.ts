// A thread that starts commands and waits for them, as Node's own functions do: sync_spawn.ts.
import { workerData } from 'node:worker_threads';

import { ring, sayStarted, type ThreadData } from './post.js';
import { spawnSyncBinding, type Binding, type Result, type RunnerWord } from './spawn_binding.js';

const { port, bell, started } = workerData as ThreadData;
const binding = spawnSyncBinding();

function say(word: RunnerWord): void {
  port.postMessage(word);
  ring(bell);
}

port.on('message', (options: Record<string, unknown>) => {
  let result: Result;
  try {
    result = (binding as Binding).spawn(options) as Result;
  } catch {
    return say({ refused: true });
  }
  try {
    say({ result });
  } catch (error) {
    say({ lost: `what it gave cannot be passed on (${(error as Error).message})` });
  }
});

process.on('exit', () => say({ lost: 'the thread that waited for it has ended' }));
sayStarted(started);
