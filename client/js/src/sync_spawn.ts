// spawnSync(), execSync() and execFileSync() while a session has handlers.
//
// Node's thread stands still in them, and with it every handler. So such a command is started by another Worker, which does
// nothing but that, and the test's thread waits for it as for an answer of the server: handlers run meanwhile.
//
// The hook is the one function that all three of them come to, however they were imported: spawn() of the binding
// spawn_sync. What it takes and what it gives are plain data, and the Worker gives it to the same function, so that every
// option and every result is Node's own. Measured with Node 18, 20 and 22, where process.binding() hands out the object that
// Node itself calls. The alternative, functions in the place of the three public ones, misses those that were imported
// before, and has to do again what Node makes of their options. Where there is no binding (--permission), nothing is
// hooked: the question of the server is then answered by the connection, which says that the thread was busy.
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';

import { theBridge, waitFor } from './bridge.js';
import { errorOf } from './errors.js';
import { spawnSyncBinding, type Binding, type Plain, type Result, type RunnerWord, type Spawn } from './spawn_binding.js';
import { startThread } from './thread.js';
import { describe } from './text.js';

/** A Worker that starts one command at a time. */
class Runner {
  word: RunnerWord | undefined;

  private constructor(private readonly port: MessagePort) {
    port.unref();
  }

  /** undefined: it did not start. */
  static start(): Runner | undefined {
    const port = startThread('spawn_worker.js', 'cmdmox spawnSync');
    return port && new Runner(port);
  }

  run(options: Plain): void {
    this.word = undefined;
    this.port.postMessage(options);
  }

  poll(): boolean {
    const found = receiveMessageOnPort(this.port) as { message: RunnerWord } | undefined;
    if (found) this.word = found.message;
    return found !== undefined;
  }
}

const free: Runner[] = [];
let hooked: { binding: Binding; original: Spawn } | undefined;
let holders = 0;
let waiting = 0;

/** Whether the test's thread waits for a command now. */
export function waitsForCommand(): boolean {
  return waiting > 0;
}

/** What the binding reads; the rest are the caller's options, of which Node has made these, and whatever else stood beside
 * them, which another thread may not be able to have. */
const READ = ['file', 'args', 'cwd', 'envPairs', 'stdio', 'uid', 'gid', 'detached', 'timeout', 'maxBuffer', 'killSignal', 'windowsHide',
  'windowsVerbatimArguments'];

function plain(options: Plain): Plain {
  return Object.fromEntries(READ.filter((name) => name in options).map((name) => [name, options[name]]));
}

/** Results of a binding are buffers. */
function unpacked(result: Result): Result {
  const output = result.output?.map((each) => each && Buffer.from(each.buffer, each.byteOffset, each.byteLength));
  return output ? { ...result, output } : result;
}

function carriedOut(options: Plain): unknown {
  const original = (hooked as NonNullable<typeof hooked>).original;
  if (holders === 0) return original(options);
  const runner = free.pop() ?? Runner.start();
  if (!runner) return original(options); // what is short for a thread is for a command, too: Node says so
  try {
    runner.run(plain(options));
  } catch {
    free.push(runner);
    return original(options); // an option that no other thread can have: as if we were not there
  }
  waiting++;
  try {
    waitFor('command', () => runner.word !== undefined, [runner, theBridge()]);
  } finally {
    waiting--;
  }
  const word = runner.word as unknown as RunnerWord;
  if ('lost' in word) { // a second run would do it twice
    throw errorOf('LINK_CLOSED', `the command ${describe(options.file)} was started, and ${word.lost}: this is a bug of cmdmox, or memory is out`);
  }
  free.push(runner);
  if ('refused' in word) return original(options); // the error is Node's own
  return unpacked(word.result);
}

/** A session has handlers, from here to releaseSpawnSync(). */
export function holdSpawnSync(): void {
  holders++;
  const binding = hooked ? undefined : spawnSyncBinding();
  if (!binding) return;
  hooked = { binding, original: binding.spawn };
  binding.spawn = carriedOut;
}

export function releaseSpawnSync(): void {
  holders--;
  if (holders > 0 || !hooked || hooked.binding.spawn !== carriedOut) return;
  hooked.binding.spawn = hooked.original;
  hooked = undefined;
}
