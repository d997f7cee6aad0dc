// A session as a test uses it: its phases and its block, the environment, the mistakes that are named where they are made, and
// the lines that reports suggest.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { inspect } from 'node:util';

import * as cmdmox from 'cmdmox';
import { any, anyOrder, argsContain, BuilderError, CmdMox, CmdMoxError, flag, isA, jsonEquals, LifecycleError, not, oneOf, regex, rest, UnverifiedError, unset,
  VerificationError } from 'cmdmox';

import { failedVerification, place, ran, run, thrown, withSession } from './support.mjs';

const sync = (...argv) => spawnSync(argv[0], argv.slice(1), { encoding: 'utf8' });

// ---- Phases

test('record, replay, verify', () => {
  const mox = new CmdMox({ label: 'a label' });
  const path = process.env.PATH;
  assert.equal(mox.phase, 'record');
  mox.mock('git').withArgs('push').returns('ok\n');
  mox.replay();
  mox.replay();
  assert.equal(mox.phase, 'replay');
  assert.equal(process.env.PATH, `${mox.shimDirectory}:${path}`);
  assert.equal(sync('git', 'push').stdout, 'ok\n');
  assert.equal(mox.verify().passed, true);
  assert.equal(process.env.PATH, path);
  assert.equal(mox.phase, 'verified');
  assert.equal(mox.verify().passed, true);
  mox.close();
  mox.close();
  assert.equal(mox.phase, 'closed');
  assert.match(thrown(() => mox.mock('git'), LifecycleError).message, /mock: this session has ended: make a new one/);
});

test('a double is refined after replay, and its calls are asked for', () => withSession((mox) => {
  mox.replay();
  const spy = mox.spy('git').returns('x');
  assert.equal(sync('git', 'a').stdout, 'x');
  spy.returns({ exitCode: 3 });
  assert.equal(sync('git', 'b').status, 3);
  assert.deepEqual(spy.invocations.map((call) => [call.args, call.exitCode]), [[['a'], 0], [['b'], 3]]);
  assert.equal(mox.double(spy.invocations[0].doubleId), spy);
  assert.deepEqual(mox.doubles, [spy]);
  spy.assertCallCount(2);
  assert.match(thrown(() => spy.assertCalledOnce(), VerificationError).message,
    /test_session\.mjs:\d+: assertCalledOnce: spy git \(\S*test_session\.mjs:\d+\): expected 1 call, actual 2\n {2}git a\n {2}git b$/);
  assert.match(thrown(() => spy.assertCalledWith('a'), VerificationError).message, /test_session\.mjs:\d+: assertCalledWith: /);
  mox.verify();
}));

test('a failed verification has the report, the findings, and a stack that begins in the test', () => withSession((mox) => {
  mox.mock('git').withArgs('push');
  mox.replay();
  sync('git', 'pull');
  const error = failedVerification(mox);
  assert.match(error.message, /2\. never called: mock git push \(\S*test_session\.mjs:\d+\), expected exactly 1 call/);
  assert.deepEqual(error.findings.map((each) => each.kind), ['UNEXPECTED_CALL', 'UNFULFILLED']);
  assert.equal(error.name, 'VerificationError');
  const [first] = error.stack.slice(error.message.length).split('\n').filter((line) => /^\s+at /.test(line));
  assert.match(first, /support\.mjs/); // who called verify()
  assert.ok(!inspect(error).includes('findings'));
}));

test('a call that is missing while a child runs', async () => {
  for (const waits of [false, true]) {
    await withSession(async (mox) => {
      mox.mock('git').never();
      mox.mock('make');
      mox.replay();
      const child = spawn('/bin/cat', { stdio: ['pipe', 'ignore', 'ignore'] });
      const end = new Promise((resolve) => { child.on('close', resolve); });
      if (waits) {
        child.stdin.end();
        await end;
      }
      const { message } = failedVerification(mox);
      assert.match(message, /never called: mock make/);
      assert.equal(/Commands that the test has started still run: is there an await missing\?\n$/.test(message), !waits);
      child.stdin.end();
      await end;
    });
  }
});

test('objects show what they are', () => withSession((mox) => {
  assert.equal(inspect(mox), '<CmdMox a session record>');
  assert.match(inspect(mox.mock('git')), /^<mock git \(\S*test_session\.mjs:\d+\)>$/);
}, { label: 'a session' }));

// ---- The block

test('using, down-levelled: the end of the block verifies', () => {
  const mox = new CmdMox();
  mox.mock('git');
  mox.replay();
  assert.throws(() => mox[Symbol.dispose](), VerificationError);
  assert.equal(mox.phase, 'closed');
  const other = new CmdMox();
  other.mock('git');
  assert.match(thrown(() => other[Symbol.dispose](), LifecycleError).message,
    /^the session of \S*test_session\.mjs:\d+ was never replayed: call replay\(\) before the code under test runs, or its calls meet the real commands$/);
});

test('await using', async () => {
  const mox = new CmdMox();
  mox.mock('git');
  mox.replay();
  await assert.rejects(mox[Symbol.asyncDispose](), VerificationError);
});

test('close() of what nobody verified', () => {
  const mox = new CmdMox();
  mox.stub('git');
  mox.replay();
  assert.match(thrown(() => mox.close(), UnverifiedError).message, /ends without verify\(\), which would have passed/);
});

for (const [name, wrap] of [['a function', (body) => body], ['an async function', (body) => async (mox) => body(mox)]]) {
  test(`CmdMox.use() of ${name}`, async () => {
    const once = (mox) => { mox.mock('git').returns('x'); mox.replay(); return sync('git').stdout; };
    assert.equal(await CmdMox.use(wrap(once)), 'x');
    const never = (mox) => { mox.mock('git'); mox.replay(); };
    await assert.rejects(async () => CmdMox.use(wrap(never)), VerificationError);
    const mine = new Error('mine');
    const both = (mox) => { never(mox); throw mine; };
    const error = await (async () => CmdMox.use(wrap(both)))().catch((its) => its);
    assert.equal(error, mine);
    assert.ok(error.cause instanceof VerificationError, 'the report is its cause');
    const early = await (async () => CmdMox.use(wrap((mox) => { mox.mock('git'); throw new Error('early'); })))().catch((its) => its);
    assert.equal(early.message, 'early');
    assert.equal(early.cause, undefined);
  });
}

test('a report that no error can carry is on stderr', async () => {
  const done = await ran(`
import { CmdMox } from 'cmdmox';
try {
  CmdMox.use((mox) => { mox.mock('git'); mox.replay(); throw 'a text'; });
} catch (error) {
  console.log(error);
}
`);
  assert.equal(done.out, 'a text\n');
  assert.match(done.err, /never called: mock git/);
});

// ---- The environment

test('one session at a time is applied, any number beside it', () => withSession((mox) => {
  mox.mock('git').returns('applied');
  mox.replay();
  const second = new CmdMox();
  const error = thrown(() => second.replay(), LifecycleError);
  assert.equal(error.reason, 'ENVIRONMENT_BUSY');
  assert.match(error.message, /the session of \S+ is applied to this process's environment: end it first/);
  second.close();
  const beside = new CmdMox({ environment: 'none' });
  beside.mock('git').returns('beside');
  beside.replay();
  assert.equal(sync('git').stdout, 'applied');
  assert.equal(spawnSync('git', { env: beside.environ, encoding: 'utf8' }).stdout, 'beside');
  beside.verify();
  beside.close();
  mox.verify();
}));

test('a session whose environment nobody asked for, and whose doubles nobody met', () => {
  for (const askFor of [undefined, (mox) => mox.environ, (mox) => mox.shimDirectory, (mox) => mox.sessionId]) {
    withSession((mox) => {
      mox.stub('git');
      mox.replay();
      askFor?.(mox);
      if (askFor) assert.equal(mox.verify().passed, true);
      else assert.match(thrown(() => mox.verify(), LifecycleError).message, /test_session\.mjs:\d+: verify: the session of \S*:\d+ has doubles, and nobody asked for its environment: the commands were the real ones\. Start the code under test with env: mox\.environ/);
    }, { environment: 'none' });
  }
  CmdMox.use((mox) => mox.replay(), { environment: 'none' }); // no doubles: nothing is claimed
});

test('PATH that changes before replay is the one behind the shims', () => withSession((mox) => {
  const before = process.env.PATH;
  process.env.PATH = `/nowhere:${before}`;
  try {
    mox.mock('git');
    mox.replay();
    assert.equal(process.env.PATH, `${mox.shimDirectory}:/nowhere:${before}`);
    sync('git');
    mox.verify();
    assert.equal(process.env.PATH, `/nowhere:${before}`);
  } finally {
    process.env.PATH = before;
  }
}));

test('keepEnvironment leaves shims that refuse', () => withSession((mox) => {
  mox.stub('git').returns('x');
  mox.replay();
  mox.verify({ keepEnvironment: true });
  assert.equal(sync('git').status, 125);
  assert.match(process.env.PATH, /cmdmox/);
}));

test('reports in other formats', () => withSession((mox) => {
  mox.mock('git');
  mox.replay();
  assert.equal(JSON.parse(mox.report({ format: 'json' }).text).passed, false);
  assert.match(mox.report({ format: 'tap' }).text, /^TAP version/);
  assert.match(mox.report({ color: true }).text, /\u001b\[/);
  assert.ok(mox.settle().includes('which fails:'));
}));

// ---- Mistakes: what is said of a session m and its mock d, the reason, the text behind the place

const deep = Array.from({ length: 66 }).reduce((matcher) => not(matcher), any());
const MISTAKES = [
  [(m) => m.mock(''), 'BAD_COMMAND_NAME', 'mock: '],
  [(m) => m.mock('a/b'), 'BAD_COMMAND_NAME', 'mock: '],
  [(m) => m.stub(3), 'INVALID_ARGUMENT', 'stub: command is number 3: give a string, or bytes (a Buffer or Uint8Array)'],
  [(m) => m.spy('\ud800'), 'INVALID_ARGUMENT', ' has half of a surrogate pair, which no UTF-8 stands for; give the bytes'],
  [(m, d) => d.withArgs('a', 3), 'BAD_MATCHER', 'withArgs: argument 2: number 3 is no matcher: give a string, bytes, a RegExp, a matcher, or a function'],
  [(m, d) => d.withArgs(['a', 'b']), 'BAD_MATCHER', "withArgs: argument 1: Array [ 'a', 'b' ] is no matcher: give its items one by one, as in withArgs(...list)"],
  [(m, d) => d.withArgs(null), 'BAD_MATCHER', 'withArgs: argument 1: null is no matcher'],
  [(m, d) => d.withArgs(any), 'BAD_MATCHER', 'withArgs: argument 1: any is a function of this package that makes a matcher: write any()'],
  [(m, d) => d.withArgs(regex('(')), 'BAD_REGEX', 'withArgs: '],
  [(m, d) => d.withArgs(/\u00e9/), 'BAD_MATCHER', 'has \\u, which the engine reads otherwise: give the text of an expression of PCRE2, or a function'],
  [(m, d) => d.withArgs(/a/y), 'BAD_MATCHER', 'has the flag y, which the engine reads otherwise'],
  [(m, d) => d.withArgs(not(rest(any()))), 'BAD_MATCHER', 'withArgs: argument 1: rest(), anyOrder(), argsContain() and flag() stand only in the list of withArgs()'],
  [(m, d) => d.withStdin(anyOrder('a')), 'BAD_MATCHER', 'withStdin: rest(), anyOrder()'],
  [(m, d) => d.withCwd(argsContain('a')), 'BAD_MATCHER', 'withCwd: rest(), anyOrder()'],
  [(m, d) => d.withMatchingEnv('A', flag('a', 'b')), 'BAD_MATCHER', 'withMatchingEnv: rest(), anyOrder()'],
  [(m, d) => d.withArgs(unset()), 'BAD_MATCHER', 'withArgs: argument 1: unset() is for variables: withMatchingEnv("NAME", unset())'],
  [(m, d) => d.withArgs(rest(any()), 'a'), 'BAD_MATCHER', 'withArgs: '],
  [(m, d) => d.withArgs(anyOrder(...Array(65).fill('a'))), 'BAD_MATCHER', 'withArgs: '],
  [() => isA('text'), 'BAD_MATCHER', "isA() does not know string 'text': give \"int\", \"float\", \"bool\", \"path\" or \"json\""],
  [() => jsonEquals(10n), 'BAD_MATCHER', 'jsonEquals(): Do not know how to serialize a BigInt'],
  [() => jsonEquals(undefined), 'BAD_MATCHER', 'jsonEquals(): undefined has no JSON'],
  [(m, d) => d.withArgs(jsonEquals('{')), 'BAD_MATCHER', 'withArgs: '],
  [() => oneOf('a', 1), 'INVALID_ARGUMENT', 'oneOf() is number 1'],
  [(m, d) => d.withArgs(deep), 'BAD_MATCHER', 'withArgs: argument 1: matchers are nested more than 64 deep'],
  [(m, d) => d.withArgs(flag(3, 'x')), 'INVALID_ARGUMENT', 'withArgs: argument 1: name of flag() is number 3'],
  [(m, d) => d.withEnv('A'), 'INVALID_ARGUMENT', "withEnv: the value of string 'A' is missing: give a string, or null to remove the variable"],
  [(m, d) => d.withEnv({ 'A=': 'x' }), 'INVALID_ARGUMENT', "withEnv: string 'A=' is no name of a variable: it is a text, not empty,"],
  [(m, d) => d.withEnv({ A: 3 }), 'INVALID_ARGUMENT', 'withEnv: value of A is number 3'],
  [(m, d) => d.withEnv(null), 'INVALID_ARGUMENT', 'withEnv: null: give an object of variables and values, or a name and a value'],
  [(m, d) => d.captureStdin({ maxBytes: 0 }), 'INVALID_ARGUMENT', 'captureStdin: maxBytes is 0, not 1 or more'],
  [(m, d) => d.captureStdin({ deadline: 'x' }), 'INVALID_ARGUMENT', "captureStdin: deadline is string 'x': give a number of ms"],
  [(m, d) => d.captureStdin({ limit: 3 }), 'INVALID_ARGUMENT', ': captureStdin() has no limit: it knows maxBytes, deadline'],
  [(m, d) => d.returns(3), 'INVALID_ARGUMENT', ': returns() is given number 3: give a string or bytes (stdout), or an object with stdout'],
  [(m, d) => d.returns({ exitcode: 3 }), 'INVALID_ARGUMENT', ': returns() has no exitcode: did you mean exitCode? it knows stdout, stderr, exitCode'],
  [(m, d) => d.returns({ exitCode: 256 }), 'INVALID_ARGUMENT', 'returns: exitCode is 256, not 0 to 255'],
  [(m, d) => d.returns({ exitCode: true }), 'INVALID_ARGUMENT', 'returns: exitCode is boolean true: give a whole number'],
  [(m, d) => d.returns({ signal: 'TERM' }), 'INVALID_ARGUMENT', "returns: signal is string 'TERM', which is none: give a name, such as \"SIGTERM\""],
  [(m, d) => d.returns({ signal: 'SIGTERM', exitCode: 1 }), 'INVALID_ARGUMENT', 'returns: a command that dies by a signal has no exitCode'],
  [(m, d) => d.returns({ delay: -1 }), 'INVALID_ARGUMENT', 'returns: delay is -1: give ms from 0 to 4294967295'],
  [(m, d) => d.returns({ gate: '' }), 'INVALID_ARGUMENT', 'returns: gate is an empty string: give it a name, for release()'],
  [(m, d) => d.returns({ chunks: 'abc' }), 'INVALID_ARGUMENT', "returns: chunks is string 'abc': give an array of {stdout, stderr, delay}"],
  [(m, d) => d.returns({ chunks: [{ stdout: 'a', stderr: 'b' }] }), 'INVALID_ARGUMENT', 'returns: chunk 1 has stdout and stderr: make two of it'],
  [(m, d) => d.returns({ files: 'abc' }), 'INVALID_ARGUMENT', "returns: files is string 'abc': give an object of paths and contents"],
  [(m, d) => d.returns({ files: [{ path: 'a', mode: 0o1777 }] }), 'INVALID_ARGUMENT', 'returns: mode of file 1 is 1023, not 1 to 511'],
  [(m, d) => d.returns('x'.repeat(17 << 20)), 'FRAME_TOO_LARGE', 'returns: this takes 178'],
  [(m, d) => d.returnsTimes(0, 'x'), 'INVALID_ARGUMENT', 'returnsTimes: times is 0, not 1 or more'],
  [(m, d) => d.passthrough({ killAfter: 1 }), 'INVALID_ARGUMENT', 'passthrough: killAfter is 1, and there is no timeout that it could follow'],
  [(m, d) => d.passthrough({ timeout: 0 }), 'INVALID_ARGUMENT', 'passthrough: timeout is 0: give ms above 0, or leave it out'],
  [(m, d) => d.passthrough({ captured: false, captureMaxBytes: 3 }), 'INVALID_ARGUMENT', 'passthrough: captureMaxBytes is 3, and with captured: false'],
  [(m) => m.stub('b').times(2), 'INVALID_ARGUMENT', 'times: a stub may be called any number of times; make it a mock to count its calls'],
  [(m, d) => d.times('2'), 'INVALID_ARGUMENT', "times: the number of calls is string '2': give a whole number"],
  [(m, d) => d.between(3, 2), 'INVALID_ARGUMENT', 'between: the least number of calls, 3, is above the greatest, 2'],
  [(m, d) => m.inOrder(d, 'git'), 'INVALID_ARGUMENT', "inOrder: string 'git', number 2 of the list, is no double of this session"],
  [(m, d) => d.inSequence(3), 'INVALID_ARGUMENT', 'inSequence: the name of the sequence is number 3: give a string'],
  [(m, d) => d.after('git'), 'INVALID_ARGUMENT', "after: the double before it is string 'git': give a double"],
  [(m) => m.allow('git'), 'BAD_STATE', 'allow: '],
  [(m) => m.absent('git'), 'BAD_STATE', 'absent: '],
  [(m) => m.verify(), 'BAD_STATE', 'verify: this session was never replayed: call replay() before the code under test runs'],
  [(m) => m.report({ format: 'xml' }), 'INVALID_ARGUMENT', "report: format is string 'xml': give text, json, junit or tap"],
  [(m, d) => d.assertHasCalls(['a']), 'INVALID_ARGUMENT', "assertHasCalls: a call is string 'a': give the array of its arguments"],
  [() => new CmdMox({ lable: 'x' }), 'INVALID_ARGUMENT', ': CmdMox has no lable: did you mean label? it knows label, contained'],
  [() => new CmdMox({ contianed: true }), 'INVALID_ARGUMENT', ': CmdMox has no contianed: did you mean contained? it knows'],
  [() => new CmdMox({ contain: true }), 'INVALID_ARGUMENT', ': CmdMox has no contain: did you mean contained? it knows'],
  [() => new CmdMox({ enviroment: 'none' }), 'INVALID_ARGUMENT', ': CmdMox has no enviroment: did you mean environment? it knows'],
  [() => new CmdMox({ other: 'none' }), 'INVALID_ARGUMENT', ': CmdMox has no other: it knows'],
  [(m, d) => d.returns(() => 'x'), 'INVALID_ARGUMENT', ': returns() is given [Function (anonymous)]: for a function that answers there is runs()'],
  [(m, d) => d.returnsOnce(3), 'INVALID_ARGUMENT', ': returnsOnce() is given number 3: give a string or bytes (stdout), or an object with stdout, stderr'],
  [() => new CmdMox({ environment: 'some' }), 'INVALID_ARGUMENT', "CmdMox: environment is string 'some': give \"apply\" or \"none\""],
  [() => new CmdMox({ program: 'x', connect: 'y' }), 'INVALID_ARGUMENT', 'CmdMox: program is that of a server which is started here'],
  [() => new CmdMox({ maxJournalEntries: 0 }), 'INVALID_ARGUMENT', 'CmdMox: maxJournalEntries is 0, not 1 or more'],
  [() => CmdMox.use('x'), 'INVALID_ARGUMENT', "use: the body is string 'x': give a function that takes the session"],
];

MISTAKES.forEach(([doIt, reason, text], index) => {
  test(`mistake ${index + 1}: ${text}`, () => withSession((mox) => {
    const double = mox.mock('git');
    const error = thrown(() => doIt(mox, double), CmdMoxError);
    assert.equal(error.reason, reason, error.message);
    assert.ok(error.message.includes(text), error.message);
    assert.doesNotMatch(error.message, /\b(\w+): \1\b/, 'no word is doubled');
    if (/^\w*: /.test(text)) assert.match(error.message, /^\S*test_session\.mjs:\d+: /);
    if (reason === 'INVALID_ARGUMENT') assert.ok(error instanceof BuilderError);
  }));
});

// ---- Expressions of JavaScript

for (const [expression, value, found] of [
  [/^v\d+$/, 'v12', true], [/^v\d+$/, 'v12\n', false], [/^a$/m, 'b\na\n', true], [/A/i, 'xax', true], [/a.b/s, 'a\nb', true], [/a.b/, 'a\nb', false],
  [/[$]\$/, '$$', true], [/[^]$/, '\n', true], [/[]|x/, 'x', true], [/(?<word>b+)c\k<word>/, 'bbcbb', true], [/[[]x/, '[x', true], [/\/x/, '/x', true],
  [/a/g, 'ba', true], [/\\$/, '\\', true],
]) {
  test(`${expression} ${found ? 'finds' : 'does not find'} ${JSON.stringify(value)}`, () => withSession((mox) => {
    mox.stub('git').withArgs(expression);
    mox.replay();
    assert.equal(expression.test(value), found, 'as JavaScript has it');
    expression.lastIndex = 0;
    assert.equal(sync('git', value).status, found ? 0 : 125);
    mox.report();
    mox.settle();
  }));
}

// ---- Lines to paste

const suggestion = (declare, doIt) => withSession((mox) => {
  declare(mox);
  mox.replay();
  doIt();
  const error = failedVerification(mox);
  const [{ suggestion: line }] = error.findings.filter((each) => each.kind === 'UNEXPECTED_CALL' || each.kind === 'EXCESS_CALL');
  assert.ok(error.message.includes(line));
  return line;
});
const accepts = (line, doIt) => withSession((mox) => {
  // eslint-disable-next-line no-new-func
  new Function('mox', ...Object.keys(cmdmox), line)(mox, ...Object.values(cmdmox));
  mox.replay();
  assert.equal(doIt().status, 0, line);
  mox.verify();
});

for (const args of [['plain'], ['caf\u00e9', '\u0085', '\x01\x7f1'], ['new\nline\t"quoted" \\ $HOME \' `${x}`'], [''], [], ['a\\x41', '\u2028'], ['--password', 'hunter2'],
  Array.from({ length: 3 }, () => '\ufffe')]) {
  test(`the line that accepts ${JSON.stringify(args)}`, () => {
    const line = suggestion((mox) => mox.registerCommand('git'), () => sync('git', ...args));
    accepts(line, () => sync('git', ...args));
    assert.ok(!line.includes('hunter2'));
  });
}

test('the line that accepts bytes', () => {
  const call = () => spawnSync('/bin/sh', ['-c', 'git "$(printf "\\377a\\"\\303(")"']);
  const line = suggestion((mox) => mox.registerCommand('git'), call);
  assert.equal(line, 'mox.mock("git").withArgs(Buffer.from("\\xffa\\"\\xc3(", "latin1"));');
  accepts(line, call);
});

test('the line that accepts a stdin', () => {
  const call = () => spawnSync('make', { input: 'in\n' });
  const line = suggestion((mox) => mox.stub('make').withStdin('x'), call);
  assert.equal(line, 'mox.mock("make").withArgs().withStdin("in\\n");');
  accepts(line, call);
});

test('the line that accepts variables and a working directory', () => {
  const cwd = path.join(place, 'caf\u00e9');
  mkdirSync(cwd);
  const call = () => spawnSync('make', ['all'], { cwd, env: { ...process.env, LEVEL: '2' } });
  const line = suggestion((mox) => mox.stub('make').withCwd('/').withEnv({ LEVEL: '1' }).withMatchingEnv('GONE', 'x'), call);
  assert.equal(line, `mox.mock("make").withArgs("all").withMatchingEnv("GONE", unset()).withMatchingEnv("LEVEL", "2").withCwd("${cwd}");`);
  accepts(line, call);
});

test('the line for one call too many', () => {
  const line = suggestion((mox) => mox.mock('git'), () => { sync('git'); sync('git'); });
  assert.equal(line, '.times(2);');
});

test('outputs of any bytes, and of a megabyte', () => withSession(async (mox) => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
  const long = Buffer.alloc(1 << 20, bytes);
  mox.stub('one').returns({ stdout: long, stderr: bytes });
  mox.stub('two').captureStdin().runs((call) => call.stdinBytes);
  mox.replay();
  const done = spawnSync('one', { maxBuffer: Infinity });
  assert.ok(done.stdout.equals(long) && done.stderr.equals(bytes));
  assert.ok(spawnSync('two', { input: long, maxBuffer: Infinity }).stdout.equals(long));
  assert.ok(mox.invocations('two')[0].stdinBytes.equals(long));
  assert.equal((await run(['one'])).status, 0);
  mox.verify();
}));
