// Where the test said it: the first line of the stack outside of this package. The stack is read as text, so that it is the
// one that source maps have been through, where somebody has seen to that (vitest, --enable-source-maps).
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { CmdMoxError, relocated } from './errors.js';
import { printable } from './text.js';

const OURS = path.join(__dirname, path.sep);
const START = start();
const FRAME = /^\s*at (?:(?:async )?(.*?) \()?(.*?):(\d+):(\d+)\)?$/;

/** The working directory with a slash; nothing if it was removed: files keep their whole names then. */
function start(): string {
  try {
    return path.join(process.cwd(), path.sep);
  } catch {
    return '';
  }
}

/** A file, as it is named from where the process was started, a line and a function. */
export class Location {
  constructor(readonly file: string, readonly line: number, readonly functionName: string) {}

  toString(): string {
    return `${this.file}:${this.line}`;
  }

  /** As the schema has it. */
  message(): { file: string; line: number; function: string } {
    return { file: printable(this.file), line: this.line, function: printable(this.functionName) };
  }
}

function fileOf(said: string): string {
  try {
    return said.startsWith('file:') ? fileURLToPath(said) : said;
  } catch {
    return said;
  }
}

/** The file as it is named from where the process was started, if it is below that. */
export function short(file: string): string {
  return START && file.startsWith(START) ? file.slice(START.length) : file;
}

/** The first place of a stack that is none of ours; in the test's own code, of which an error tells. */
export function placeOf(stack: string | undefined): Location | undefined {
  for (const line of (stack ?? '').split('\n')) {
    const found = FRAME.exec(line);
    const file = found ? fileOf(found[2] ?? '') : '';
    if (!found || file.startsWith(OURS) || file.startsWith('node:')) continue;
    return new Location(short(file), Number(found[3]), found[1] ?? '');
  }
  return undefined;
}

const stands: Location[] = [];

/** What is called in here is called in the name of a test: above it there is only who runs tests. */
export function at<T>(where: Location, body: () => T): T {
  stands.push(where);
  try {
    return body();
  } finally {
    stands.pop();
  }
}

export function caller(): Location {
  const standing = stands.at(-1);
  if (standing) return standing;
  return placeOf(stackHere()) ?? new Location('', 0, '');
}

/** undefined: the test has its own way with stacks, or with Error; a place is worth no failure. */
function stackHere(): string | undefined {
  const limit = Error.stackTraceLimit;
  try {
    Error.stackTraceLimit = 50;
    return textOf(new Error());
  } catch {
    return undefined;
  } finally {
    Reflect.set(Error, 'stackTraceLimit', limit);
  }
}

/** The stack, where it is a text. */
function textOf(error: Error): string | undefined {
  try {
    const stack: unknown = error.stack;
    return typeof stack === 'string' ? stack : undefined;
  } catch {
    return undefined;
  }
}

/** An error that is about to be thrown to the test: its stack begins at the test's line. */
export function outward<T extends Error>(error: T): T {
  const lines = textOf(error)?.split('\n');
  if (!lines) return error;
  const kept = lines.filter((line) => !(FRAME.test(line) && line.includes(OURS)));
  Object.defineProperty(error, 'stack', { value: kept.join('\n'), configurable: true, writable: true });
  return error;
}

const placed = new WeakSet<CmdMoxError>();

/** Around what one call of the test's does: an error gets the place and the name of what was called in front; once, where
 * such a call makes another one, and without the name if its text begins with that. */
export function said<T>(name: string, body: (where: Location) => T, where = caller()): T {
  try {
    return body(where);
  } catch (error) {
    if (!(error instanceof CmdMoxError) || placed.has(error)) throw error;
    const named = error.message.startsWith(name) && !/\w/.test(error.message.charAt(name.length));
    const told = outward(relocated(error, named ? `${where}` : `${where}: ${name}`));
    placed.add(told);
    throw told;
  }
}
