// What the words of a scenario are in JavaScript: matchers, answers, handlers and predicates.
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';

import * as cmdmox from 'cmdmox';

import { listOf, require, valueOf, valuesOf } from './values.mjs';

// ---- Matchers

const all = (values) => values.map(matcherOf);

const MATCHERS = {
  any: () => cmdmox.any(),
  starts_with: (value) => cmdmox.startsWith(valueOf(value)),
  ends_with: (value) => cmdmox.endsWith(valueOf(value)),
  contains: (value) => cmdmox.contains(valueOf(value)),
  regex: (value) => cmdmox.regex(valueOf(value)),
  glob: (value) => cmdmox.glob(valueOf(value)),
  json_equals: (value) => cmdmox.jsonEquals(valueOf(value)),
  is_a: (value) => cmdmox.isA(value),
  one_of: (values) => cmdmox.oneOf(...valuesOf(values)),
  all_of: (values) => cmdmox.allOf(...all(values)),
  any_of: (values) => cmdmox.anyOf(...all(values)),
  not: (value) => cmdmox.not(matcherOf(value)),
  predicate: (name) => cmdmox.predicate(PREDICATES[name], { name, asBytes: true }),
  rest: (value) => cmdmox.rest(matcherOf(value)),
  any_order: (values) => cmdmox.anyOrder(...all(values)),
  args_contain: (values) => cmdmox.argsContain(...all(values)),
  flag: ({ name, value }) => cmdmox.flag(valueOf(name), matcherOf(value)),
  unset: () => cmdmox.unset(),
};

export function matcherOf(value) {
  if (typeof value === 'string' || 'base64' in value || 'repeat' in value) return valueOf(value);
  const [[name, its]] = Object.entries(value);
  require(MATCHERS[name], `no such matcher: ${name}`);
  return MATCHERS[name](its);
}

export const matchersOf = (values) => values.flatMap((value) => (value.copies === undefined ? [matcherOf(value)] : Array(value.copies).fill(matcherOf(value.of))));

// ---- Answers

const chunkOf = ({ stdout, stderr, after_ms: delay = 0 }) => ({ ...(stderr === undefined ? { stdout: valueOf(stdout ?? '') } : { stderr: valueOf(stderr) }), delay });
const fileOf = ({ path, content = '', mode }) => ({ path: valueOf(path), content: valueOf(content), ...(mode && { mode: parseInt(mode, 8) }) });

export function answerOf({ stdout = '', stderr = '', exit_code: exitCode = 0, signal, delay_ms: delay = 0, hang = false, gate, chunks = [], files = [] }) {
  return { stdout: valueOf(stdout), stderr: valueOf(stderr), exitCode, signal, delay, hang, gate, chunks: chunks.map(chunkOf), files: files.map(fileOf) };
}

export function passingOf({ timeout_ms: timeout, kill_after_ms: killAfter, capture_max_bytes: captureMaxBytes, captured, gate, program }) {
  return { timeout, killAfter, captureMaxBytes, captured, gate, program: program && path.resolve('..', 'programs', program) };
}

// ---- Handlers and predicates

const fail = (text) => { throw new Error(text); };
const never = () => new Promise(() => {});

function ran(words, sync) {
  if (sync) return spawnSync(words[0], words.slice(1)).stdout;
  const child = spawn(words[0], words.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  const output = [];
  child.stdout.on('data', (data) => output.push(data));
  return new Promise((resolve) => { child.on('close', () => resolve(Buffer.concat(output))); });
}

const HANDLERS = {
  'echo-args': (call) => Buffer.concat(call.argsBytes.flatMap((arg) => [arg, Buffer.from('\n')])),
  'echo-stdin': (call) => call.stdinBytes,
  'echo-env': (call, name) => call.environBytes.get(String(name)) ?? '(not set)',
  answer: (call, stdout, stderr, exitCode) => ({ stdout, stderr, exitCode: Number(exitCode) }),
  fail: (call, text) => fail(String(text)),
  hang: never,
  nonsense: () => ({ exitCode: 256 }),
  run: (call, ...words) => ran(words.slice(0, -1).map(String), words.at(-1)),
};

const busyFor = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

const PREDICATES = {
  'is-even': (value) => [...'02468'].includes(value.subarray(-1).toString()),
  'has-an-ff': (value) => value.includes(0xff),
  hangs: () => busyFor(1000), // a predicate is a plain function: it hangs as such a one does, long after its deadline
  raises: () => fail('the predicate gave up'),
};

export function handlerOf([name, ...rest], sync) {
  const words = listOf(rest);
  const handler = HANDLERS[name];
  return (call) => handler(call, ...words, ...(name === 'run' ? [sync] : []));
}

// ---- Refinements: what the value of each is as arguments of the method

const turns = (how) => ({ times, ...its }) => [times, how(its)];

export const REFINEMENTS = {
  with_args: ['withArgs', valuesOf],
  with_matching_args: ['withArgs', matchersOf],
  with_stdin: ['withStdin', (value) => [matcherOf(value)]],
  with_cwd: ['withCwd', (value) => [matcherOf(value)]],
  with_env: ['withEnv', (value) => [Object.fromEntries(Object.entries(value).map(([name, its]) => [name, its === null ? null : valueOf(its)]))]],
  capture_stdin: ['captureStdin', ({ max_bytes: maxBytes, deadline_ms: deadline }) => [{ maxBytes, deadline }]],
  drain_stdin: ['drainStdin', () => []],
  times: ['times', (n) => [n]],
  at_least: ['atLeast', (n) => [n]],
  at_most: ['atMost', (n) => [n]],
  between: ['between', (pair) => pair],
  never: ['never', () => []],
  any_times: ['anyTimes', () => []],
  any_order: ['anyOrder', () => []],
  after: ['after', (name, stage) => [stage.doubles.get(name)]],
  returns: ['returns', (value) => [answerOf(value)]],
  returns_once: ['returnsOnce', (value) => [answerOf(value)]],
  returns_times: ['returnsTimes', turns(answerOf)],
  passthrough: ['passthrough', (value) => [passingOf(value)]],
  passthrough_once: ['passthroughOnce', (value) => [passingOf(value)]],
  passthrough_times: ['passthroughTimes', turns(passingOf)],
  runs: ['runs', (value, stage) => [handlerOf(value, stage.sync)]],
  runs_once: ['runsOnce', (value, stage) => [handlerOf(value, stage.sync)]],
  runs_times: ['runsTimes', ({ times, handler }, stage) => [times, handlerOf(handler, stage.sync)]],
};

/** Which fields of a call of the journal are compared as bytes, and which as they are. */
export const CALL = {
  bytes: {
    command: (call) => call.commandBytes, stdin: (call) => call.stdinBytes, stdout: (call) => call.stdoutBytes, cwd: (call) => call.cwdBytes,
    stderr: (call) => call.stderrBytes, passthrough_failure: (call) => Buffer.from(call.passthroughFailure),
  },
  others: {
    args: (call) => call.argsBytes, argc: (call) => call.argvBytes.length, exit_code: (call) => call.exitCode, signal: (call) => call.signal,
    verdict: (call) => call.verdict.replaceAll(' ', '_'), state: (call) => call.state, timed_out: (call) => call.timedOut,
    stdin_truncated: (call) => call.stdinCapture.truncated, stdout_length: (call) => call.stdoutCapture.length,
    env_entries: (call) => call.environEntriesBytes,
  },
};
