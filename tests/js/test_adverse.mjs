// When the other side does not play along: servers that die, hang, talk nonsense or are newer, and processes that end, are killed
// or interrupted. Each ends in a clear failure, and nothing is left.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { BuilderError, CmdMox, CmdMoxError, ServerError } from 'cmdmox';

import { collected, ended, node, place, PROGRAM, ran, run, sessionsIn, stateOf, thrown, until, withSession, written } from './support.mjs';

/** With these variables, and a server of its own for them. */
async function withVariables(variables, body) {
  const before = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]));
  Object.assign(process.env, variables);
  try {
    return await body();
  } finally {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

// ---- Servers that are odd: tests/python/odd_server.py

const PYTHON = process.env.CMDMOX_PYTHON ?? '/usr/bin/python3';
const odd = (how, body) => {
  const program = written(`#!${PYTHON}
import sys
sys.path[:0] = [${JSON.stringify(path.join(process.env.CMDMOX_BUILD, 'python'))}, ${JSON.stringify(path.join(process.env.CMDMOX_SOURCE, 'tests/python'))}]
import odd_server
`, `${how}-cmdmox-odd`);
  return withVariables({ ODD: how, REAL: PROGRAM, PYTHONDONTWRITEBYTECODE: '1', CMOX_IPC_TIMEOUT: how === 'silent' ? '0.3' : 'none' }, () => body(program));
};

test('a server of a later version', () => odd('newer', (program) => withSession(async (mox) => {
  mox.mock('git').withArgs('a', (text) => text === 'b').captureStdin().runs((call) => call.stdin.toUpperCase());
  mox.replay();
  assert.equal((await run(['git', 'a', 'b'], { input: 'x' })).out, 'X');
  assert.equal(mox.journal[0].stdin, 'x');
  assert.equal(mox.verify().passed, true);
}, { program })));

for (const [how, reason, text] of [
  ['refuses', 'VERSION_MISMATCH', /CmdMox: this server speaks versions 2 to 3, you speak 1 to 1/],
  ['version', 'VERSION_MISMATCH', /the server speaks version 2 of the protocol, this package version 1: use those of one release/],
  ['garbage', 'BAD_FRAME', /what the server says is no frame of cmdmox: /],
  ['silent', 'DEADLINE_EXCEEDED', /the server did not answer within 0.3 s: it hangs, or is none of cmdmox/],
  ['ends', 'LINK_CLOSED', /cmdmox-odd, process \d+\) ended with status 3; what it had to say is on stderr/],
  ['leaves', 'BAD_FRAME', /the server closed the link: that was no frame/],
  ['shorter', 'BAD_PAYLOAD', /the server's answer to CreateSession cannot be read/],
]) {
  test(`an odd server: ${how}`, () => odd(how, (program) => {
    const error = thrown(() => new CmdMox({ program }), ServerError);
    assert.equal(error.reason, reason);
    assert.match(error.message, text);
    assert.match(error.message, /^\S*test_adverse\.mjs:\d+: CmdMox: /);
  }));
}

// ---- The program

test('no program', () => withVariables({ PATH: place, CMDMOX_PROGRAM: '' }, () => {
  const error = thrown(() => new CmdMox(), ServerError);
  assert.equal(error.reason, 'NO_SERVER');
  assert.match(error.message, /there is no cmdmox program: the package for this platform, @cmdmox\/linux-\w+, is not installed, and it is not on PATH/);
}));

test('the program on PATH', () => withVariables({ PATH: `${path.dirname(PROGRAM)}:${process.env.PATH}`, CMDMOX_PROGRAM: '' }, () => withSession(async (mox) => {
  mox.mock('git');
  mox.replay();
  assert.equal((await run(['git'])).status, 0);
  mox.verify();
})));

for (const [mode, text] of [[undefined, 'is no file'], [0o644, 'is not executable'], [0o755, 'cannot be started: ']]) {
  test(`a program that ${text}`, async () => {
    const program = path.join(place, `no-program-${mode}`);
    if (mode !== undefined) {
      writeFileSync(program, '#!/no/such/interpreter\n');
      chmodSync(program, mode);
    }
    const saying = (options) => thrown(() => new CmdMox(options), ServerError);
    for (const error of [saying({ program }), await withVariables({ CMDMOX_PROGRAM: program }, () => saying())]) {
      assert.equal(error.reason, 'NO_SERVER');
      assert.ok(error.message.includes(text) && error.message.includes(program), error.message);
    }
  });
}

// ---- A server that goes

test('a server that dies, and the next session has another one', () => withSession(async (mox) => {
  mox.mock('git');
  mox.replay();
  process.kill(mox.server.pid, 'SIGKILL');
  await until(() => mox.server.broken);
  const done = await run(['git']);
  assert.equal(done.status, 125);
  assert.equal(done.err.split('\n').length, 2);
  const error = thrown(() => mox.verify(), ServerError);
  assert.equal(error.reason, 'LINK_CLOSED');
  assert.match(error.message, /verify: the cmdmox server \(.*, process \d+\) was killed by SIGKILL; what it had/);
  await withSession(async (other) => {
    other.mock('git').returns('x');
    other.replay();
    assert.equal((await run(['git'])).out, 'x');
    other.verify();
  });
}));

test('a server that dies while a handler runs under spawnSync()', () => withSession((mox) => {
  mox.mock('git').runs(() => { process.kill(mox.server.pid, 'SIGKILL'); });
  mox.replay();
  assert.equal(spawnSync('git').status, 125);
  assert.ok(thrown(() => mox.verify()) instanceof ServerError);
}));

test('a server that is stopped, and is replaced', () => withVariables({ CMOX_IPC_TIMEOUT: '0.3' }, async () => {
  const mox = new CmdMox({ environment: 'none' });
  const { pid } = mox.server;
  process.kill(pid, 'SIGSTOP');
  await until(() => stateOf(pid) === 'T');
  const error = thrown(() => mox.mock('git'), ServerError);
  assert.equal(error.reason, 'DEADLINE_EXCEEDED');
  assert.ok(error.message.includes('mock: the server has said nothing of CreateDoubles for 0.3 s: it is stopped, or the machine is overloaded'), error.message);
  const other = new CmdMox({ environment: 'none' });
  assert.notEqual(other.server.pid, pid);
  assert.ok(ended(pid), 'the one that hangs was killed');
  other.close();
  mox.close();
}));

test('a server that goes on is not replaced', () => withVariables({ CMOX_IPC_TIMEOUT: '0.4' }, async () => {
  const mox = new CmdMox({ environment: 'none' });
  const { pid } = mox.server;
  process.kill(pid, 'SIGSTOP');
  await until(() => stateOf(pid) === 'T');
  assert.equal(thrown(() => mox.mock('git'), ServerError).reason, 'DEADLINE_EXCEEDED');
  process.kill(pid, 'SIGCONT');
  await until(() => !mox.server.silent); // the answer comes now, and nobody waits for it
  const other = new CmdMox({ environment: 'none' });
  assert.equal(other.server.pid, pid);
  other.close();
  mox.close();
}));

test('a timeout that is none', () => withVariables({ CMOX_IPC_TIMEOUT: 'soon' }, () => {
  const error = thrown(() => new CmdMox(), BuilderError);
  assert.equal(error.reason, 'BAD_TIMEOUT');
  assert.ok(error.message.includes('CMOX_IPC_TIMEOUT is "soon": write seconds, such as 5 or 0.5, or none'));
}));

// ---- Servers that listen

async function withListening(body) {
  const folder = mkdtempSync(path.join(tmpdir(), 's-'));
  const address = `unix:${folder}/s`;
  const server = spawn(PROGRAM, ['serve', '--listen', address], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await new Promise((resolve) => { server.stdout.once('data', resolve); });
    await body(address, server, folder);
  } finally {
    server.kill();
  }
}

test('a server that listens, and is gone', () => withListening((connect, server) => withSession(async (mox) => {
  await withSession(async (other) => {
    mox.mock('git').runs(() => 'one');
    other.mock('git').runs(() => 'two');
    mox.replay();
    other.replay();
    assert.equal((await run(['git'])).out, 'one');
    assert.equal((await run(['git'], { env: other.environ })).out, 'two');
    other.verify();
  }, { connect, environment: 'none' });
  server.kill('SIGKILL');
  await until(() => mox.server.broken);
  assert.match(thrown(() => mox.verify(), ServerError).message, /verify: the server at unix:\S+ closed the link: it has ended, or was told to/);
  assert.match(thrown(() => new CmdMox({ connect }), ServerError).message, /nobody listens there any more/);
}, { connect })));

test('a socket where others can put theirs', () => withListening((connect, server, folder) => {
  chmodSync(folder, 0o777);
  const error = thrown(() => new CmdMox({ connect }), ServerError);
  assert.equal(error.reason, 'PERMISSION_DENIED');
  assert.ok(error.message.includes(`who can write to ${folder}`), error.message);
  const link = path.join(place, 'link');
  symlinkSync(folder, link);
  assert.equal(thrown(() => new CmdMox({ connect: `${link}/s` }), ServerError).reason, 'PERMISSION_DENIED');
}));

test('a server of another user', { skip: process.geteuid() !== 0 && 'only root can be another user' }, async () => {
  const socket = path.join(place, 'foreign');
  const listener = net.createServer();
  await new Promise((resolve) => { listener.listen(socket, resolve); });
  spawnSync('chown', ['12345', socket]);
  const error = thrown(() => new CmdMox({ connect: socket }), ServerError);
  assert.equal(error.reason, 'PERMISSION_DENIED');
  assert.ok(error.message.includes('belongs to another user (uid 12345): its commands would run as you; start one of your own'));
  listener.close();
});

for (const [connect, reason, text] of [
  ['unix:/nowhere/s', 'NO_SERVER', 'no server at /nowhere/s: there is no such socket; start one with: cmdmox serve --listen ADDRESS'],
  ['/nowhere/s', 'NO_SERVER', 'no server at /nowhere/s'],
  ['tcp:localhost:1', 'UNSUPPORTED_SCHEME', 'unsupported address scheme: tcp:localhost:1; write unix:/path/to/socket'],
  ['unix:', 'BAD_ADDRESS', "malformed address: string 'unix:'; write unix:/path/to/socket"],
  [`unix:/${'x'.repeat(107)}`, 'PATH_TOO_LONG', 'at most 107 bytes are possible'],
]) {
  test(`an address without a server: ${connect.slice(0, 20)}`, () => {
    const error = thrown(() => new CmdMox({ connect }), CmdMoxError);
    assert.equal(error.reason, reason);
    assert.ok(error.message.includes(text), error.message);
  });
}

// ---- Processes that end

const END = `
import { spawnSync } from 'node:child_process';
import { CmdMox } from 'cmdmox';
process.on('exit', () => console.log('the last handler'));
const mox = new CmdMox({ label: 'forgotten' });
mox.mock('git');
mox.replay();
`;

for (const [name, rest, status] of [
  ['that ends', '', 1],
  ['that says all is well', 'process.exit(0);', 1],
  ['with a status of its own', 'process.exit(9);', 9],
  ['that fails', 'throw new Error("mine");', 1],
]) {
  test(`a process ${name}, and never verified its session`, async () => {
    const done = await ran(`${END}spawnSync('git');\n${rest}`);
    assert.equal(done.status, status);
    assert.equal(done.out, 'the last handler\n');
    assert.match(done.err, /cmdmox: the session "forgotten" \(\S*program\d+\.mjs:5\) ends without verify\(\), which would have passed: call it, or no failure is ever seen/);
  });
}

test('what it would have seen is told', async () => {
  const done = await ran(END);
  assert.equal(done.status, 1);
  assert.match(done.err, /which fails:[^]*never called: mock git \(\S*:6\)/);
});

test('a session keeps no process from ending, and the process leaves nothing', async () => {
  const shims = path.join(place, 'shims-ending');
  mkdirSync(shims);
  const done = await ran(`
import { spawnSync } from 'node:child_process';
import { CmdMox } from 'cmdmox';
const forgotten = new CmdMox({ environment: 'none' });
forgotten.mock('git').runs(() => 'x');
for (let n = 0; n < 5; n++) {
  const mox = new CmdMox();
  mox.mock('git').runs(() => 'x');
  mox.replay();
  spawnSync('git');
  mox.verify();
  mox.close();
}
console.log(forgotten.server.pid);
`, { env: { ...process.env, CMOX_TMPDIR: shims } });
  assert.equal(done.status, 0, done.err);
  assert.deepEqual(sessionsIn(shims), []);
  assert.ok(ended(Number(done.out)));
});

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT']) {
  test(`a process that ends by ${signal} leaves nothing`, async () => {
    const shims = path.join(place, `shims-${signal}`);
    mkdirSync(shims);
    const child = node(`
import { spawnSync } from 'node:child_process';
import { CmdMox } from 'cmdmox';
const mox = new CmdMox();
mox.mock('git').runs(() => { console.log(mox.server.pid); });
mox.stub('wait').returns({ gate: 'never' });
mox.replay();
spawnSync('git');
spawnSync('wait'); // also while it waits for a command
`, { env: { ...process.env, CMOX_TMPDIR: shims }, stdio: ['ignore', 'pipe', 'ignore'] });
    const server = Number(await new Promise((resolve) => { child.stdout.once('data', (data) => resolve(String(data))); }));
    const [made] = sessionsIn(shims);
    child.kill(signal);
    assert.equal((await collected(child)).status, signal);
    await until(() => ended(server));
    // What a command still used when the server ended goes with the next start.
    await withVariables({ CMOX_TMPDIR: shims }, () => withSession(() => assert.ok(!sessionsIn(shims).includes(made))));
  });
}

test('an interrupt reaches the test and not the server', async () => {
  const child = node(`
import { spawn } from 'node:child_process';
import { CmdMox } from 'cmdmox';
const mox = new CmdMox();
mox.mock('git').returns({ stdout: 'x', gate: 'never' });
mox.replay();
const command = spawn('git', { stdio: 'ignore', detached: true });
while (!mox.callCount());
process.once('SIGINT', () => {
  const released = mox.release('never');
  command.on('close', (status) => { console.log('interrupted', released, status, mox.callCount()); mox.verify(); mox.close(); });
});
console.log('waiting');
`, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const done = collected(child);
  await new Promise((resolve) => { child.stdout.once('data', resolve); });
  process.kill(-child.pid, 'SIGINT');
  assert.deepEqual(await done, { status: 0, out: 'waiting\ninterrupted 1 0 1\n', err: '' });
});

test('Workers of a test have sessions of their own', async () => {
  const done = await ran(`
import { spawnSync } from 'node:child_process';
import { Worker, isMainThread, threadId } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import { CmdMox } from 'cmdmox';
const mox = new CmdMox();
mox.mock('git').runs(() => (isMainThread ? 'main' : 'worker'));
mox.replay();
const { stdout } = spawnSync('git', { encoding: 'utf8', env: process.env });
mox.verify();
mox.close();
console.log(stdout);
if (isMainThread) for (let n = 0; n < 2; n++) await new Promise((resolve) => { new Worker(fileURLToPath(import.meta.url)).on('exit', resolve); });
`);
  assert.deepEqual(done, { status: 0, out: 'main\nworker\nworker\n', err: '' });
});
