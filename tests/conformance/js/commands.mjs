// The steps that run commands: by spawn(), or with --sync by spawnSync().
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { setImmediate as nextRound } from 'node:timers/promises';

import { bytesOf, expect, isText, listOf, require, shown, told } from './values.mjs';

const GUARD = 60_000; // ms until something counts as hanging
const PYTHON = process.env.CMDMOX_PYTHON ?? '/usr/bin/python3';

// What Node has no call for: execve() with bytes that are no text, an argv[0] of one's own or none, and an environment that
// is no mapping.
const RAW = `
import base64, ctypes, json, sys
path, argv, env = json.load(open(0)) if sys.argv[1] == "-" else json.loads(sys.argv[1])
words = lambda items: (ctypes.c_char_p * (len(items) + 1))(*map(base64.b64decode, items), None)
ctypes.CDLL(None).execve(base64.b64decode(path), words(argv), words(env))
`;

function found(name, search) {
  for (const folder of search.split(':')) {
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      // the next one
    }
  }
  throw new Error(`${name} is not on PATH`);
}

const base64 = (words) => words.map((word) => Buffer.from(word).toString('base64'));

/** What is given to spawn(): the bytes themselves, where those are texts. */
function asked(argv, { env = {}, argv0, env_entries: entries }) {
  const environment = new Map(Object.entries(process.env).map(([name, value]) => [name, Buffer.from(value)]));
  for (const [name, value] of Object.entries(env)) {
    environment.delete(name);
    if (value !== null) environment.set(name, bytesOf(value));
  }
  const words = listOf(argv);
  const plain = argv0 === undefined && !entries && [...words, ...environment.values()].every(isText);
  if (plain) {
    return { file: words[0].toString(), args: words.slice(1).map(String), env: Object.fromEntries([...environment].map(([name, its]) => [name, String(its)])) };
  }
  const file = words[0].includes('/') ? words[0].toString() : found(words[0].toString(), String(environment.get('PATH')));
  const argvRaw = argv0 === null ? [] : [argv0 === undefined ? words[0] : bytesOf(argv0), ...words.slice(1)];
  const block = entries ? listOf(entries) : [...environment].map(([name, its]) => Buffer.concat([Buffer.from(`${name}=`), its]));
  return { file: PYTHON, args: ['-c', RAW, JSON.stringify([Buffer.from(file).toString('base64'), base64(argvRaw), base64(block)])], env: process.env };
}

export class Commands {
  running = new Map();

  constructor(sync) {
    this.sync = sync;
  }

  close() {
    for (const { child } of this.running.values()) child.kill('SIGKILL');
  }

  start(argv, { stdin, cwd, ...others }) {
    const { file, args, env } = asked(argv, others);
    const child = spawn(file, args, { env, cwd, stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
    const output = { stdout: [], stderr: [] };
    child.stdout.on('data', (data) => output.stdout.push(data));
    child.stderr.on('data', (data) => output.stderr.push(data));
    child.stdin?.on('error', () => {}); // a command need not read it
    if (stdin !== undefined) child.stdin.end(bytesOf(stdin));
    const done = new Promise((resolve, reject) => {
      const timer = setTimeout(() => { child.kill('SIGKILL'); reject(new Error(`${argv} hangs`)); }, GUARD);
      child.on('error', (error) => { clearTimeout(timer); reject(error); });
      child.on('close', (status, signal) => {
        clearTimeout(timer);
        resolve({ status, signal, stdout: Buffer.concat(output.stdout), stderr: Buffer.concat(output.stderr) });
      });
    });
    done.catch(() => {}); // who waits for it hears of it
    return { child, done };
  }

  async ended(argv, how) {
    if (!this.sync) return this.start(argv, how).done;
    const { file, args, env } = asked(argv, how);
    const stdio = [how.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'];
    const done = spawnSync(file, args, { env, cwd: how.cwd, stdio, timeout: GUARD, maxBuffer: Infinity,
      ...(how.stdin === undefined ? {} : { input: bytesOf(how.stdin) }) });
    if (done.error && done.error.code !== 'EPIPE') throw done.error;
    return done;
  }

  judge({ status, signal, stdout, stderr }, expected = {}) {
    const wanted = expected.signal ?? expected.status ?? 0;
    require((signal ?? status) === wanted, () => `expected ${wanted}, actual ${signal ?? status}; stderr:\n${shown(stderr)}`);
    expect('stdout', expected.stdout ?? '', stdout);
    expect('stderr', expected.stderr ?? '', told(stderr));
  }

  async run(argv, { expect: expected, at_once: atOnce, statuses, ...how }) {
    if (atOnce === undefined) return this.judge(await this.ended(argv, how), expected);
    const done = await Promise.all(Array.from({ length: atOnce }, () => this.start(argv, how).done));
    for (const [status, times] of Object.entries(statuses)) {
      const seen = done.filter((each) => String(each.status) === status).length;
      require(seen === times, `status ${status}: expected ${times} times, actual ${done.map((each) => each.status)}`);
    }
    return undefined;
  }

  file(name, { content = '', mode }) {
    expect(name, content, readFileSync(name));
    const actual = statSync(name).mode & 0o777;
    require(mode === undefined || actual === parseInt(mode, 8), `${name}: expected mode ${mode}, actual ${actual.toString(8)}`);
  }
}

/** Until it is so; the event loop goes on. */
export async function until(condition, text) {
  const end = Date.now() + GUARD;
  while (!condition()) {
    require(Date.now() < end, text);
    await nextRound();
  }
}
