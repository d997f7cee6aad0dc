// Handlers and predicates: what they are given, what they may answer, and what becomes of it when they do not play along.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import test from 'node:test';

import { CmdMox, LifecycleError, predicate, VerificationError } from 'cmdmox';

import { failedVerification, run, withSession } from './support.mjs';

const FORMS = [
  ['nothing', () => {}, ['', '', 0]],
  ['null', () => null, ['', '', 0]],
  ['text', () => 'é\n', ['é\n', '', 0]],
  ['bytes', () => Buffer.from('b'), ['b', '', 0]],
  ['a view', () => new Uint8Array([97, 98, 99]).subarray(1), ['bc', '', 0]],
  ['a response', () => ({ stdout: 'o', stderr: 'e', exitCode: 3 }), ['o', 'e', 3]],
  ['a promise', async () => 'later', ['later', '', 0]],
  ['what has a then', () => ({ then: (resolve) => resolve('thenable') }), ['thenable', '', 0]],
  ['a signal', () => ({ signal: 'SIGTERM' }), ['', '', 'SIGTERM']],
  ['chunks', () => ({ chunks: ['a', { stderr: 'b' }, { stdout: 'c', delay: 1 }], stdout: 'd' }), ['acd', 'b', 0]],
];

for (const [name, handler, [out, err, status]] of FORMS) {
  test(`a handler returns ${name}`, () => withSession(async (mox) => {
    mox.mock('cmd').runs(handler);
    mox.replay();
    assert.deepEqual(await run(['cmd']), { out, err, status });
    mox.verify();
  }));
}

const NONSENSE = [
  ['a number', () => 3, 'it returned number 3: return nothing, a string or bytes (stdout), or an object with stdout'],
  ['an array', () => ['a', 'b', 0], "it returned Array [ 'a', 'b', 0 ]"],
  ['a status above 255', () => ({ exitCode: 256 }), 'exitCode is 256, not 0 to 255'],
  ['a status that is text', () => ({ exitCode: '1' }), "exitCode is string '1': give a whole number"],
  ['a word it does not know', () => ({ out: 'x' }), 'its answer has no out: it knows stdout, stderr, exitCode'],
  ['stdout that is none', () => ({ stdout: 1 }), 'stdout is number 1: give a string, or bytes'],
  ['half of a pair', () => '\ud800', 'has half of a surrogate pair'],
  ['chunks that are none', () => ({ chunks: [3] }), 'chunk 1 is number 3'],
  ['hangs and ends', () => ({ hang: true, exitCode: 1 }), 'a command that hangs has neither exitCode nor signal'],
  ['a signal that is none', () => ({ signal: 'SIGNONE' }), "signal is string 'SIGNONE', which is none"],
  ['too much', () => 'x'.repeat(17 << 20), 'bytes, and the server takes at most'],
  ['a getter that throws', () => ({ get stdout() { throw new TypeError('no'); } }), 'TypeError: no'],
];

for (const [name, handler, text] of NONSENSE) {
  test(`a handler that answers nonsense: ${name}`, () => withSession(async (mox) => {
    mox.mock('cmd').runs(handler);
    mox.replay();
    const { status, err } = await run(['cmd']);
    assert.equal(status, 125);
    assert.ok(err.includes(text), err);
    assert.doesNotMatch(err, /failed: function at/); // its name is said once
    const { message } = failedVerification(mox);
    assert.ok(message.includes(text), message);
  }));
}

const RAISING = [
  ['an error', () => { throw new RangeError('too far'); }, /RangeError: too far \(\S*test_callbacks\.mjs:\d+\)/],
  ['an error of a promise', async () => { await null; throw new Error('later'); }, /Error: later \(\S*test_callbacks\.mjs:\d+\)/],
  ['what is no error', () => { throw 'a text'; }, /threw string 'a text'/],
  ['nothing', () => { throw undefined; }, /threw undefined/],
  ['an error without a text', () => { throw Object.defineProperty(new Error(), 'message', { get() { throw new Error('mute'); } }); },
    /what it says cannot be told/],
];

for (const [name, handler, expected] of RAISING) {
  test(`a handler throws ${name}`, () => withSession(async (mox) => {
    mox.mock('cmd').runs(handler).times(2);
    mox.replay();
    const { status, err } = await run(['cmd']);
    assert.equal(status, 125);
    assert.match(err, expected);
    assert.equal((await run(['cmd'])).status, 125);
    const error = failedVerification(mox);
    assert.match(error.message, expected);
    assert.ok('cause' in error);
  }));
}

test('a handler sees the call', () => withSession(async (mox) => {
  let seen;
  mox.mock('cmd').captureStdin().withEnv('LEVEL', '3').runs((call) => { seen = call; return call.stdin.toUpperCase(); });
  mox.replay();
  const done = await run(['cmd', 'a b', ''], { input: 'in\n', cwd: '/' });
  assert.equal(done.out, 'IN\n');
  assert.deepEqual([seen.command, seen.args, seen.argv, seen.cwd], ['cmd', ['a b', ''], ['cmd', 'a b', ''], '/']);
  assert.equal(seen.env.LEVEL, '3');
  assert.equal(seen.environBytes.get('LEVEL').toString(), '3');
  assert.equal(seen.ppid, process.pid);
  assert.deepEqual(seen.argsBytes[0], Buffer.from('a b'));
}));

test('stdin that was not read is told of', () => withSession(async (mox) => {
  mox.mock('cmd').runs((call) => call.stdin);
  mox.replay();
  assert.match((await run(['cmd'], { input: 'x' })).err, /the stdin of this call of cmd was not read: say captureStdin\(\) or withStdin\(\)/);
  failedVerification(mox);
}));

test('a handler that hangs ends within its deadline', () => withSession(async (mox) => {
  mox.mock('cmd').runs(() => new Promise(() => {}));
  mox.replay();
  const { status, err } = await run(['cmd']);
  assert.equal(status, 125);
  assert.match(err, /200 ms/);
  assert.match(failedVerification(mox).message, /200 ms/);
}, { callbackDeadline: 200 }));

test('a predicate that throws, and one that is async', () => withSession(async (mox) => {
  mox.mock('one').withArgs(function judge(text) { throw new TypeError(`not ${text}`); });
  mox.mock('two').withArgs(async function slow() { throw new Error('nobody hears this'); });
  mox.replay();
  assert.match((await run(['one', 'a'])).err, /judge.*TypeError: not a \(\S*test_callbacks\.mjs:\d+\)/);
  assert.match((await run(['two', 'a'])).err, /'?slow'? failed: it returned a promise, which is always true: give a plain function/);
  assert.ok(failedVerification(mox).cause instanceof TypeError);
}));

test('reports name predicates', () => withSession(async (mox) => {
  mox.mock('cmd').withArgs(predicate((text) => /^\d+$/.test(text), { name: 'a number' }));
  mox.mock('other').withArgs(predicate((bytes) => bytes.equals(Buffer.from('x')), { asBytes: true }));
  mox.replay();
  assert.match((await run(['cmd', 'x'])).err, /a number/);
  assert.equal((await run(['other', 'x'])).status, 0);
  assert.match(failedVerification(mox).message, /a number/);
}));

test('handlers answer at the same time, in any order', () => withSession(async (mox) => {
  const waiting = [];
  mox.stub('cmd').runs((call) => new Promise((resolve) => {
    waiting.push(() => resolve(call.args[0]));
    if (waiting.length === 16) for (const go of waiting.reverse()) go();
  }));
  mox.replay();
  const done = await Promise.all(Array.from({ length: 16 }, (_, n) => run(['cmd', `${n}`])));
  assert.deepEqual(done.map((each) => each.out), Array.from({ length: 16 }, (_, n) => `${n}`));
  mox.verify();
}));

test('handlers answer while the test asks in a loop', () => withSession(async (mox) => {
  const stub = mox.stub('cmd').runs(() => 'x');
  mox.replay();
  const child = spawn('cmd', { stdio: 'ignore' });
  while (!stub.invocations.some((call) => call.state === 'completed')); // the event loop never gets a turn
  mox.verify();
  await new Promise((resolve) => { child.on('close', resolve); });
}));

test('more handlers one inside of the other than there is stack for are refused', () => withSession((mox) => {
  let deepest = 0;
  mox.stub('again').runs((call) => {
    const depth = Number(call.args[0]);
    deepest = Math.max(deepest, depth);
    const inner = spawnSync('again', [`${depth + 1}`], { encoding: 'utf8' });
    return { stdout: inner.stdout, stderr: inner.stderr, exitCode: inner.status };
  });
  mox.replay();
  const done = spawnSync('again', ['1'], { encoding: 'utf8' });
  assert.equal(deepest, 32);
  assert.match(done.stderr, /32 handlers and predicates run already, one inside of the other/);
  failedVerification(mox);
}));

test('as many handlers at the same time as there are calls, each of which asks', () => withSession((mox) => {
  mox.stub('cmd').runs(() => `${mox.callCount()}\n`);
  mox.replay();
  const done = spawnSync('sh', ['-c', 'for i in $(seq 100); do cmd & done; wait'], { encoding: 'utf8' });
  assert.equal(done.stderr, '');
  assert.equal(done.stdout.trim().split('\n').length, 100);
  mox.verify();
}));

test('and those of commands that nobody waits for', () => withSession(async (mox) => {
  mox.stub('cmd').runs(async () => { await null; return `${mox.callCount()}`; });
  mox.replay();
  const done = await Promise.all(Array.from({ length: 60 }, () => run(['cmd'])));
  assert.deepEqual(done.map((each) => each.status), Array(60).fill(0));
  mox.verify();
}));

test('a handler runs mocked commands, and asks and declares', () => withSession(async (mox) => {
  mox.mock('outer').runs(async () => {
    mox.stub('later').returns('there');
    return `${mox.callCount('outer')} ${(await run(['inner', 'x'])).out} ${(await run(['later'])).out}`;
  });
  mox.mock('inner').withArgs((text) => text === 'x').runs(() => 'inside');
  mox.replay();
  assert.equal((await run(['outer'])).out, '1 inside there');
  mox.verify();
}));

for (const [name, doIt] of Object.entries({
  verify: (mox) => mox.verify(), replay: (mox) => mox.replay(), close: (mox) => mox.close(), 'the end of the block': (mox) => mox[Symbol.dispose](),
})) {
  test(`a handler may not call it: ${name}`, () => withSession(async (mox) => {
    const said = [];
    const attempt = () => {
      try {
        doIt(mox);
      } catch (error) {
        said.push(error);
      }
    };
    mox.mock('cmd').runs(attempt);
    mox.mock('later').runs(async () => { await null; attempt(); });
    mox.replay();
    await run(['cmd']);
    await run(['later']);
    assert.equal(said.length, 2);
    for (const error of said) {
      assert.ok(error instanceof LifecycleError);
      assert.ok(error.message.includes(`${name}: a handler or a predicate may not call it`), error.message);
    }
    mox.verify();
  }));
}

test('turns of handlers', () => withSession(async (mox) => {
  const stub = mox.stub('cmd').runsOnce(() => '1').runsTimes(2, () => '2').runs(() => '3');
  mox.replay();
  const out = [];
  for (let n = 0; n < 5; n++) out.push((await run(['cmd'])).out);
  assert.deepEqual(out, ['1', '2', '2', '3', '3']);
  assert.equal(stub.callCount, 5);
  mox.verify();
}));

test('what a function may not be', () => withSession((mox) => {
  assert.throws(() => mox.stub('cmd').runs('text'), /runs: the handler is string 'text': give a function that takes the call/);
  assert.throws(() => predicate('text'), /predicate\(\) of string 'text': give a function/);
  assert.throws(() => mox.spy('cmd').assertCalledWith(() => true), /an assertion about calls takes no functions/);
}));

test('the failure of an earlier session is not that of a later one', () => withSession(async (mox) => {
  mox.mock('cmd');
  mox.replay();
  const error = failedVerification(mox);
  assert.ok(error instanceof VerificationError && !('cause' in error));
  assert.equal(new CmdMox({ environment: 'none' }).settle(), undefined);
}));

test('a handler has time, however much that may be', () => withSession(async (mox) => {
  mox.stub('greet').runs(() => 'x');
  mox.replay();
  const done = run(['greet']);
  const bell = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(bell, 0, 0, 300); // the thread is busy, while the call waits
  assert.deepEqual(await done, { status: 0, out: 'x', err: '' });
}, { callbackDeadline: 2 ** 32 - 1 }));

const boo = () => { throw new Error('boo'); };
const unprintable = {
  'a value that throws where it is shown': () => ({ [Symbol.for('nodejs.util.inspect.custom')]: boo }),
  'an error with a message that throws': () => Object.defineProperties(new Error('x'), {
    message: { get() { throw Object.create(null, { [Symbol.toStringTag]: { get: boo } }); } }, constructor: { value: null },
  }),
  'a proxy that was revoked': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
};
for (const [name, make] of Object.entries(unprintable)) {
  for (const handler of [() => { throw make(); }, async () => { throw make(); }]) {
    test(`${handler.constructor.name}: ${name} fails the call and the test, and not the process`, () => withSession(async (mox) => {
      mox.stub('greet').runs(handler);
      mox.replay();
      const done = await run(['greet']);
      assert.equal(done.status, 125);
      assert.match(done.err, /cannot be (shown|told)|threw/);
      failedVerification(mox);
    }, { callbackDeadline: 5000 }));
  }
}
