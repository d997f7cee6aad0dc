// A thread that starts commands and waits for them, as Node's own functions do: sync_spawn.ts.
import { workerData } from 'node:worker_threads';

import { ring } from './post.js';
import { spawnSyncBinding, type RunnerData, type RunnerWord } from './spawn_binding.js';

const { port, bell } = workerData as RunnerData;
const binding = spawnSyncBinding();

function say(word: RunnerWord): void {
  port.postMessage(word);
  ring(bell);
}

port.on('message', (options: Record<string, unknown>) => {
  try {
    say({ result: binding?.spawn(options) as object });
  } catch (error) {
    say({ failed: (error as Error).message });
  }
});

process.on('exit', () => say({ failed: 'the thread has ended' }));
