// spawnSync(), execSync() and execFileSync() while a session has handlers: handlers answer, and Node's own results come back,
// whatever the options.
import assert from 'node:assert/strict';
import childProcess, { execFileSync, execSync, spawnSync } from 'node:child_process';
import { openSync, readFileSync, closeSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';

import { CmdMox } from 'cmdmox';

import { failedVerification, place, ran, run, thrown, withSession, written } from './support.mjs';

const ownSpawn = process.binding('spawn_sync').spawn;
const hooked = () => process.binding('spawn_sync').spawn !== ownSpawn;

test('a handler answers under each of them, however it was imported', () => withSession((mox) => {
  mox.stub('greet').runs((call) => `hello ${call.args.join(' ')}\n`);
  mox.replay();
  const required = createRequire(import.meta.url)('node:child_process');
  for (const module of [{ execFileSync, execSync, spawnSync }, childProcess, required]) {
    assert.equal(module.spawnSync('greet', ['a'], { encoding: 'utf8' }).stdout, 'hello a\n');
    assert.equal(module.execFileSync('greet', ['b', 'c'], { encoding: 'utf8' }), 'hello b c\n');
    assert.equal(module.execSync('greet d | tr a-z A-Z', { encoding: 'utf8' }), 'HELLO D\n');
  }
  assert.equal(mox.verify().passed, true);
}));

test('a predicate judges there', () => withSession((mox) => {
  mox.mock('greet').withArgs((text) => text.startsWith('w')).returns('hello\n');
  mox.replay();
  assert.equal(execFileSync('greet', ['world'], { encoding: 'utf8' }), 'hello\n');
}));

test('a handler starts commands in the same way, mocked and real', () => withSession((mox) => {
  mox.stub('outer').runs(() => execSync('inner one; echo real', { encoding: 'utf8' }));
  mox.stub('inner').runs((call) => spawnSync('innermost', call.args).stdout);
  mox.stub('innermost').runs((call) => `<${call.args}>\n`);
  mox.replay();
  assert.equal(spawnSync('outer', { encoding: 'utf8' }).stdout, '<one>\nreal\n');
}));

test('a handler that throws fails the call, and what the test did goes on', () => withSession((mox) => {
  mox.stub('broken').runs(() => { throw new RangeError('too far'); });
  mox.replay();
  const done = spawnSync('broken', { encoding: 'utf8' });
  assert.equal(done.status, 125);
  assert.match(done.stderr, /RangeError: too far \(.*test_spawn_sync\.mjs:\d+\)/);
  assert.ok(failedVerification(mox).cause instanceof RangeError);
}));

test('a handler that returns a promise is told so', () => withSession((mox) => {
  mox.stub('later').runs(async function slow() { throw new Error('nobody hears this'); });
  mox.replay();
  const done = spawnSync('later', { encoding: 'utf8' });
  assert.equal(done.status, 125);
  assert.match(done.stderr, /slow'? failed: it returned a promise, which settles only when the test's thread goes on, and that waits in spawnSync\(\), execSync\(\) or execFileSync\(\) \(\S*test_spawn_sync\.mjs:\d+\): return the answer itself, or start what it waits for there with spawn\(\)/);
  failedVerification(mox);
}));

test('one of a command that was started before is told which line holds the thread', () => withSession(async (mox) => {
  mox.stub('later').runs(async () => 'x');
  mox.replay();
  const told = path.join(place, 'told');
  const early = run(['sh', '-c', `later; touch '${told}'`]);
  const line = Number(/test_spawn_sync\.mjs:(\d+)/.exec(new Error().stack)[1]) + 1;
  spawnSync('sh', ['-c', `until [ -e '${told}' ]; do sleep 0.01; done`]);
  assert.match((await early).err, new RegExp(`waits in spawnSync\\(\\), execSync\\(\\) or execFileSync\\(\\) \\(\\S*test_spawn_sync\\.mjs:${line}\\)`));
  mox.settle();
}));

test('an option that is not Node\'s keeps no handler from answering', () => withSession((mox) => {
  mox.stub('greet').runs(() => 'x');
  mox.replay();
  assert.equal(spawnSync('greet', { encoding: 'utf8', logger: { log() {} }, mark: Symbol('x') }).stdout, 'x');
}, { callbackDeadline: 2000 }));

// ---- The results are Node's own

const file = written('', 'out.txt');
const CASES = {
  'status and streams': () => spawnSync('sh', ['-c', 'echo out; echo err >&2; exit 3']),
  'buffers are buffers': () => spawnSync('printf', ['\\377\\000x']).stdout,
  'an encoding': () => spawnSync('printf', ['\\303\\251'], { encoding: 'latin1' }),
  'input as text': () => spawnSync('cat', { input: 'text \u00e9', encoding: 'utf8' }),
  'input as bytes': () => spawnSync('cat', { input: Buffer.from([0, 255, 10]) }),
  'input as a view': () => spawnSync('cat', { input: new Uint8Array([1, 2, 3, 4]).subarray(1, 3) }),
  'a long input and output': () => spawnSync('cat', { input: Buffer.alloc(3 << 20, 'abc'), maxBuffer: Infinity }),
  'a signal': () => spawnSync('sh', ['-c', 'kill -TERM $$']),
  'a time that is up': () => spawnSync('sleep', ['60'], { timeout: 50 }),
  'with another signal': () => spawnSync('sh', ['-c', 'trap "" TERM; sleep 60'], { timeout: 100, killSignal: 'SIGKILL' }),
  'more output than fits': () => spawnSync('sh', ['-c', 'printf 0123456789; exec sleep 60'], { maxBuffer: 4 }),
  'a working directory': () => spawnSync('pwd', ['-P'], { cwd: place, encoding: 'utf8' }),
  'one that is not there': () => spawnSync('pwd', { cwd: path.join(place, 'nowhere') }),
  'an environment': () => spawnSync('/bin/sh', ['-c', 'echo $WORD'], { env: { WORD: 'given' }, encoding: 'utf8' }),
  'an environment of the prototype': () => spawnSync('/bin/sh', ['-c', 'echo $WORD'], { env: Object.create({ WORD: 'inherited' }), encoding: 'utf8' }),
  'a shell': () => spawnSync('echo $0 "$@"', ['x'], { shell: '/bin/sh', encoding: 'utf8' }),
  'argv0': () => spawnSync('/bin/sh', ['-c', 'echo $0'], { argv0: 'other', encoding: 'utf8' }),
  'streams that are ignored': () => spawnSync('echo', ['x'], { stdio: 'ignore' }),
  'a file as stdout': () => {
    const fd = openSync(file, 'w');
    const done = spawnSync('echo', ['to the file'], { stdio: ['ignore', fd, 'pipe'] });
    closeSync(fd);
    return [done, readFileSync(file, 'utf8')];
  },
  'a fourth stream': () => spawnSync('sh', ['-c', 'echo four >&3'], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], encoding: 'utf8' }),
  'a command that is not there': () => spawnSync('no-such-command', ['x']),
  'one that may not run': () => spawnSync(file),
  'execSync': () => execSync('echo out; exit 0'),
  'execSync that fails': () => execSync('echo out; echo err >&2; exit 4', { stdio: 'pipe' }),
  'execFileSync that fails': () => execFileSync('sh', ['-c', 'exit 5'], { stdio: 'pipe' }),
  'execFileSync of nothing': () => execFileSync('no-such-command'),
  'a wrong option': () => spawnSync('echo', ['x'], { timeout: -1 }),
  'a signal that is none': () => spawnSync('echo', ['x'], { killSignal: 'SIGNONE' }),
};

/** What it comes to, with what differs from one process to the next left out. */
function outcome(doIt) {
  const seen = new Set();
  const bare = (value) => {
    if (seen.has(value)) return 'as above';
    if (value instanceof Error) seen.add(value);
    if (value instanceof Error) return { name: value.name, message: value.message, ...bare({ ...value }) };
    if (Array.isArray(value)) return value.map(bare);
    if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, its]) => [key, key === 'pid' ? Math.sign(its) : bare(its)]));
  };
  try {
    return { returned: bare(doIt()) };
  } catch (error) {
    return { threw: bare(error) };
  }
}

for (const [name, doIt] of Object.entries(CASES)) {
  test(`as without handlers: ${name}`, () => {
    assert.equal(hooked(), false);
    const wanted = outcome(doIt);
    withSession((mox) => {
      mox.stub('unused').runs(() => '');
      mox.replay();
      assert.equal(hooked(), true);
      assert.deepEqual(outcome(doIt), wanted);
    });
  });
}

test('an inherited stream is the one of the process', async () => {
  const done = await ran(`
import { spawnSync } from 'node:child_process';
import { CmdMox } from 'cmdmox';
const mox = new CmdMox();
mox.stub('greet').runs((call) => ({ stdout: 'out\\n', stderr: 'err\\n' }));
mox.replay();
spawnSync('greet', { stdio: 'inherit' });
mox.verify();
mox.close();
`);
  assert.deepEqual(done, { status: 0, out: 'out\n', err: 'err\n' });
});

// ---- While it is there

test('nothing is hooked without handlers, and nothing is left', () => {
  const plain = new CmdMox({ environment: 'none' });
  const one = new CmdMox({ environment: 'none' });
  const two = new CmdMox({ environment: 'none' });
  plain.stub('x').returns('y');
  assert.equal(hooked(), false);
  one.stub('x').runs(() => '');
  two.stub('x').withArgs(() => true);
  assert.equal(hooked(), true);
  one.close();
  assert.equal(hooked(), true);
  two.close();
  assert.equal(hooked(), false);
  plain.close();
});

test('calls of many sessions are answered, each by its own', () => {
  const sessions = ['a', 'b', 'c'].map((name) => {
    const mox = new CmdMox({ environment: 'none' });
    mox.stub('who').runs(() => name);
    mox.replay();
    return mox;
  });
  for (const round of [0, 1]) {
    assert.deepEqual(sessions.map((mox) => spawnSync('who', { env: mox.environ, encoding: 'utf8' }).stdout), ['a', 'b', 'c'], `round ${round}`);
  }
  for (const mox of sessions) {
    mox.verify();
    mox.close();
  }
});

test('the environment that is given says where a command is looked for', () => {
  const mox = new CmdMox({ environment: 'none' });
  mox.mock('greet').runs(() => 'mocked');
  mox.replay();
  assert.equal(spawnSync('greet', { env: mox.environ, encoding: 'utf8' }).stdout, 'mocked');
  assert.equal(spawnSync('greet').error.code, 'ENOENT');
  mox.verify();
  mox.close();
});

test('a handler may end the process', async () => {
  const done = await ran(`
import { spawnSync } from 'node:child_process';
import { CmdMox } from 'cmdmox';
const mox = new CmdMox();
mox.stub('end').runs(() => process.exit(7));
mox.replay();
spawnSync('sh', ['-c', 'end; exit 0']);
console.log('not reached');
`);
  assert.equal(done.status, 7);
  assert.equal(done.out, '');
});

test('a handler that the thread has no time for is told of', () => withSession(async (mox) => {
  mox.stub('greet').runs(() => 'too late');
  mox.replay();
  const { spawn } = childProcess;
  const child = spawn('greet', { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (data) => { said += data; });
  const bell = new Int32Array(new SharedArrayBuffer(4));
  while (!spawnedHasAnswer(child.pid)) Atomics.wait(bell, 0, 0, 20); // a loop that never returns to the event loop
  await new Promise((resolve) => { child.on('close', resolve); });
  assert.match(said, /the test's thread was busy for 1200 ms and could not run the handler or predicate: it blocks outside of child_process/);
  failedVerification(mox);
}, { callbackDeadline: 1500 }));

function spawnedHasAnswer(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(')').at(-1).trim()[0] === 'Z';
  } catch {
    return true;
  }
}

test('where the binding is out of reach nothing is hooked, and the call is told of', async () => {
  const done = await ran(`
import { spawnSync } from 'node:child_process';
process.binding = () => { throw new Error('not here'); };
const { CmdMox } = await import('cmdmox');
const mox = new CmdMox({ callbackDeadline: 1500 });
mox.stub('greet').runs(() => 'x');
mox.replay();
console.log(spawnSync('greet', { encoding: 'utf8' }).stderr);
mox.report();
mox.settle();
`);
  assert.match(done.out, /the test's thread was busy/);
  assert.equal(done.status, 0, done.err);
});

test('nobody is warned of what this package does', async () => {
  const done = await ran(`
import { spawnSync } from 'node:child_process';
import { CmdMox } from 'cmdmox';
const mox = new CmdMox();
mox.mock('greet').runs(() => 'x');
mox.replay();
console.log(spawnSync('greet', { encoding: 'utf8' }).stdout);
mox.verify();
mox.close();
`, { args: ['--pending-deprecation', '--trace-warnings'] });
  assert.deepEqual(done, { status: 0, out: 'x\n', err: '' });
});

test('the working directory is that of the process', () => withSession((mox) => {
  mox.mock('where').runs((call) => call.cwd);
  mox.replay();
  const before = process.cwd();
  process.chdir(place);
  try {
    assert.equal(spawnSync('where', { encoding: 'utf8' }).stdout, realpathSync(place));
  } finally {
    process.chdir(before);
  }
  assert.ok(thrown(() => spawnSync('where', { cwd: 3 })) instanceof TypeError);
}));
