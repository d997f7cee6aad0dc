// When descriptors are short, threads do not start or get lost, and a server is stopped as the process ends: nothing waits
// for ever, and nothing is done twice.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { collected, ended, place, ran, until, written } from './support.mjs';

/** Runs a program of Node that has at most 64 (or so many) descriptors. */
const withFew = (text, limit, ...args) => collected(spawn('sh', ['-c', `ulimit -n ${limit}; exec "$@"`, 'sh', process.execPath, written(text), ...args],
  { cwd: place, stdio: ['ignore', 'pipe', 'pipe'] }));

const FILL = `
const held = [];
try { for (;;) held.push(fs.openSync('/dev/null')); } catch {}
for (let n = 0; n < Number(process.argv[2]); n++) fs.closeSync(held.pop());
`;
const each = (lefts, limit, text) => Promise.all(lefts.map((left) => withFew(text, limit, left)));

// Both at once: a thread that does not come is waited for.
const LEFT = [0, 3, 6, 7, 9];
const sessions = each(LEFT, 64, `
import fs from 'node:fs';
import { CmdMox } from 'cmdmox';
${FILL}
let said = 'made';
try { new CmdMox().close(); } catch (error) { said = error.name + ': ' + error.message; }
for (const each of held) fs.closeSync(each);
console.log(said);
`);

const commands = each([0, 3, 7], 80, `
import fs from 'node:fs';
import { spawnSync } from 'node:child_process';
import { CmdMox } from 'cmdmox';
const mox = new CmdMox();
mox.stub('greet').runs(() => 'x');
mox.replay();
${FILL}
const done = spawnSync('true');
for (const each of held) fs.closeSync(each);
console.log(done.status ?? done.error.code);
mox.settle();
`);

test('a first session with few descriptors left is made, or says that there is none', async () => {
  const all = await sessions;
  for (const [index, { status, out, err }] of all.entries()) {
    assert.equal(status, 0, err);
    assert.match(out, /^made$|^ServerError: \S+:\d+: CmdMox: (the thread of the connection did not start: descriptors \(ulimit -n\)|\S+ cannot be started: .*\(ulimit -n\)|the cmdmox server)/m, `${LEFT[index]} left`);
  }
  assert.match(all[0].out, /the thread of the connection did not start/);
  assert.ok(all.some(({ out }) => out.includes('cannot be started: too many open files')), all.map(({ out }) => out).join(''));
});

test('spawnSync() with few descriptors left does what Node does', async () => {
  for (const { status, out, err } of await commands) {
    assert.equal(status, 0, err);
    assert.match(out, /^(0|EMFILE)$/m);
  }
});

test('a command whose result is lost is not started again', async () => {
  const thread = written(`
const { workerData: { port, bell, started } } = require('node:worker_threads');
port.on('message', (options) => {
  process.binding('spawn_sync').spawn(options);
  port.postMessage({ lost: 'the thread that waited for it has ended' });
  Atomics.add(bell, 0, 1);
  Atomics.notify(bell, 0);
});
Atomics.store(started, 0, 1);
Atomics.notify(started, 0);
`, 'lossy.cjs');
  const runs = path.join(place, 'runs');
  const done = await ran(`
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
const threads = createRequire(import.meta.url)('node:worker_threads');
threads.Worker = class extends threads.Worker {
  constructor(file, options) { super(options.name === 'cmdmox spawnSync' ? ${JSON.stringify(thread)} : file, options); }
};
const { CmdMox } = await import('cmdmox');
const mox = new CmdMox();
mox.stub('greet').runs(() => 'x');
mox.replay();
try { spawnSync('sh', ['-c', 'echo once >>${runs}']); } catch (error) { console.log(error.name, error.message); }
mox.settle();
`);
  assert.match(done.out, /^ServerError the command string 'sh' was started, and the thread that waited for it has ended/, done.err);
  assert.equal(readFileSync(runs, 'utf8'), 'once\n');
});

// ---- The end of the process

for (const [how, rest] of [['verified its session', 'mox.verify();'], ['did not', '']]) {
  test(`a process that ${how} ends although its server is stopped, and no server stays`, async () => {
    const done = await ran(`
import { CmdMox } from 'cmdmox';
const mox = new CmdMox();
mox.stub('greet');
mox.replay();
${rest}
process.kill(mox.server.pid, 'SIGSTOP');
console.log(mox.server.pid);
`, { env: { ...process.env, CMOX_IPC_TIMEOUT: 'none' } });
    assert.equal(done.status, rest ? 0 : 1);
    if (!rest) assert.match(done.err, /ends without verify\(\), which cannot be done any more: .*this process ends, and the server has said nothing meanwhile/);
    await until(() => ended(Number(done.out)));
  });
}
