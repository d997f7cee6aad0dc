// What the tests of the JavaScript client share: a place for shims that must be empty in the end, and programs of Node that
// are run in a process of their own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, beforeEach } from 'node:test';
import { fileURLToPath } from 'node:url';

import { CmdMox, VerificationError } from 'cmdmox';

export const HERE = path.dirname(fileURLToPath(import.meta.url));
export const PROGRAM = process.env.CMDMOX_PROGRAM;
export const DEADLINE = 60_000; // ms until something counts as hanging; nothing takes that long

/** Below the folder where 'cmdmox' can be imported. */
export const place = mkdtempSync(path.join(HERE, 'place-'));
/** Of this file's own sessions. */
export const shims = mkdtempSync(path.join(realpathSync(tmpdir()), 'cmdmox-js-'));
process.env.CMOX_TMPDIR = shims;

let before;
beforeEach(() => { before = { ...process.env }; });
afterEach(() => { assert.deepEqual({ ...process.env }, before, 'the environment is as it was'); });
after(() => { rmSync(place, { recursive: true, force: true }); });
process.on('exit', () => rmSync(shims, { recursive: true, force: true }));

let count = 0;

export function written(text, name = `program${++count}.mjs`) {
  const file = path.join(place, name);
  writeFileSync(file, text, { mode: 0o755 });
  return file;
}

/** A session with handlers asked for by this body; it is ended whatever happens. */
export function withSession(body, options) {
  const mox = new CmdMox(options);
  const end = () => { mox.verifyOnExit = false; mox[Symbol.dispose](); };
  let result;
  try {
    result = body(mox);
  } catch (error) {
    end();
    throw error;
  }
  if (typeof result?.then === 'function') return result.finally(end);
  end();
  return result;
}

export function thrown(doIt, kind = Error) {
  try {
    doIt();
  } catch (error) {
    assert.ok(error instanceof kind, `${error.stack} is no ${kind.name}`);
    return error;
  }
  return assert.fail('nothing was thrown');
}

export const failedVerification = (mox) => thrown(() => mox.verify(), VerificationError);

export function collected(child) {
  const output = { out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (data) => { output.out += data; });
  child.stderr?.setEncoding('utf8').on('data', (data) => { output.err += data; });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => { child.kill('SIGKILL'); reject(new Error(`it hangs; so far: ${output.out}${output.err}`)); }, DEADLINE);
    child.on('error', (error) => { clearTimeout(timer); reject(error); });
    child.on('close', (status, signal) => { clearTimeout(timer); resolve({ status: signal ?? status, ...output }); });
  });
}

/** Runs a command by spawn(), while the event loop goes on. */
export function run(argv, { input, ...options } = {}) {
  const child = spawn(argv[0], argv.slice(1), { stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'], ...options });
  if (input !== undefined) child.stdin.end(input);
  return collected(child);
}

/** Starts a program of Node in a process of its own. */
export function node(text, { args = [], file = written(text), ...options } = {}) {
  return spawn(process.execPath, [...args, file], { cwd: place, stdio: ['pipe', 'pipe', 'pipe'], ...options });
}

export const ran = (text, options) => collected(node(text, options));

/** T: stopped; Z: it waits for whoever started it; nothing: it is gone. */
export function stateOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(')').at(-1).trim()[0];
  } catch {
    return '';
  }
}

export const ended = (pid) => ['', 'Z'].includes(stateOf(pid));

export async function until(happened) {
  const end = Date.now() + DEADLINE;
  while (!happened()) {
    assert.ok(Date.now() < end, `it did not happen: ${happened}`);
    await new Promise((resolve) => { setImmediate(resolve); });
  }
}

export const sessionsIn = (folder) => readdirSync(folder);
