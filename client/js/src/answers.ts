// What a command answers: a reply, in pieces, with files; the real command; or what a handler gave.
import { constants } from 'node:os';

import { create, type MessageInitShape } from '@bufbuild/protobuf';

import { BuilderError } from './errors.js';
import { describe, encode, isValue, ms, named, utf8, whole, type Value } from './text.js';
import { HandleResponseSchema, type HandleResponse } from './v1/callback_pb.js';
import { DoubleActionSchema, type DoubleAction, type FileEffectSchema, type TimedChunkSchema } from './v1/double_pb.js';
import type { ReplySchema } from './v1/shim_pb.js';

/** A piece of output that is written on its own, `delay` ms after the one before it; without data a pause. */
export interface Chunk {
  stdout?: Value;
  stderr?: Value;
  delay?: number;
}

/** A file that the call makes, from its working directory, or that gets this content when it is there. Directories are
 * not made. Without a mode, permission bits up to 0o777, it is 0o666 less the umask of the call. */
export interface File {
  path: Value;
  content?: Value;
  mode?: number;
}

/** Contents by path, or a list. */
export type Files = Readonly<Record<string, Value>> | Iterable<File>;

/** What a command answers: first the chunks, then, after `delay` ms, the files, stdout and stderr; then it exits, dies by
 * the signal ("SIGTERM", or its number), or hangs until it is killed. */
export interface Response {
  stdout?: Value;
  stderr?: Value;
  exitCode?: number;
  signal?: string | number;
  delay?: number;
  hang?: boolean;
  chunks?: Iterable<Chunk | Value>;
  files?: Files;
}

/** A response of a double: it can wait at a gate for release(). */
export interface Answer extends Response {
  gate?: string;
}

/** What a handler may return: nothing, its stdout, or a response. */
export type HandlerResult = void | null | Value | Response;

/** How the real command runs. After `timeout` ms it gets TERM, and `killAfter` (5000) ms later KILL. captured: false has
 * stdout and stderr be its own, and not kept. `program`, an absolute path, runs in its place. */
export interface Passing {
  timeout?: number;
  killAfter?: number;
  captureMaxBytes?: number;
  captured?: boolean;
  gate?: string;
  program?: Value;
}

const RESPONSE = ['stdout', 'stderr', 'exitCode', 'signal', 'delay', 'hang', 'chunks', 'files'] as const;

function signalName(value: unknown): string {
  const signals: Record<string, number> = constants.signals;
  if (typeof value === 'string' && value in signals) return value;
  const found = typeof value === 'number' ? Object.keys(signals).find((name) => signals[name] === value) : undefined;
  if (found) return found;
  throw new BuilderError(`signal is ${describe(value)}, which is none: give a name, such as "SIGTERM", or one of os.constants.signals`);
}

function reply(said: Response): MessageInitShape<typeof ReplySchema> {
  const base = {
    stdoutData: encode(said.stdout ?? '', 'stdout'),
    stderrData: encode(said.stderr ?? '', 'stderr'),
    delayMs: ms(said.delay ?? 0, 'delay'),
  };
  const code = whole(said.exitCode ?? 0, 'exitCode', 0, 255);
  if (said.hang) {
    if (said.signal !== undefined || code) throw new BuilderError('a command that hangs has neither exitCode nor signal');
    return { ...base, end: { case: 'hang', value: true } };
  }
  if (said.signal !== undefined) {
    if (code) throw new BuilderError('a command that dies by a signal has no exitCode');
    return { ...base, end: { case: 'signal', value: signalName(said.signal) } };
  }
  return { ...base, end: { case: 'exitCode', value: code } };
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value && !isValue(value);
}

function chunks(said: unknown): MessageInitShape<typeof TimedChunkSchema>[] {
  if (said === undefined) return [];
  if (!isIterable(said)) throw new BuilderError(`chunks is ${describe(said)}: give an array of {stdout, stderr, delay}, strings or bytes`);
  return [...said].map((item, index) => {
    const what = `chunk ${index + 1}`;
    const chunk: Partial<Chunk> = isValue(item) ? { stdout: item } : named(item as Chunk | undefined, what, 'stdout', 'stderr', 'delay');
    if (chunk.stdout !== undefined && chunk.stderr !== undefined) throw new BuilderError(`${what} has stdout and stderr: make two of it`);
    return {
      data: encode(chunk.stdout ?? chunk.stderr ?? '', what),
      toStderr: chunk.stderr !== undefined,
      delayMs: ms(chunk.delay ?? 0, `delay of ${what}`),
    };
  });
}

function files(said: unknown): MessageInitShape<typeof FileEffectSchema>[] {
  if (said === undefined) return [];
  if (typeof said !== 'object' || said === null || isValue(said)) {
    throw new BuilderError(`files is ${describe(said)}: give an object of paths and contents, or an array of {path, content, mode}`);
  }
  const list = isIterable(said) ? [...said] : Object.entries(said).map(([path, content]) => ({ path, content: content as Value }));
  return list.map((item, index) => {
    const what = `file ${index + 1}`;
    const file = named(item as File | undefined, what, 'path', 'content', 'mode');
    return {
      path: encode(file.path, `path of ${what}`),
      content: encode(file.content ?? '', `content of ${what}`),
      mode: file.mode === undefined ? 0 : whole(file.mode, `mode of ${what}`, 1, 0o777),
    };
  });
}

export function gateName(gate: unknown): string {
  if (gate === undefined) return '';
  const name = utf8(gate, 'gate');
  if (!name) throw new BuilderError('gate is an empty string: give it a name, for release()');
  return name;
}

/** What the words of returns() mean. */
export function answerAction(said: Answer | Value | undefined, what: string): DoubleAction {
  if (typeof said === 'function') throw new BuilderError(`${what} is given ${describe(said)}: for a function that answers there is runs()`);
  if (said !== undefined && !isValue(said) && (typeof said !== 'object' || said === null || Array.isArray(said))) {
    throw new BuilderError(`${what} is given ${describe(said)}: give a string or bytes (stdout), or an object with ${[...RESPONSE, 'gate'].join(', ')}`);
  }
  const answer: Partial<Answer> = isValue(said) ? { stdout: said } : named(said, what, ...RESPONSE, 'gate');
  return create(DoubleActionSchema, {
    kind: { case: 'reply', value: reply(answer) }, chunks: chunks(answer.chunks), files: files(answer.files), gate: gateName(answer.gate),
  });
}

export function passAction(said: Passing | undefined, what: string): DoubleAction {
  const { timeout, killAfter, captureMaxBytes, captured = true, gate, program } =
    named(said, what, 'timeout', 'killAfter', 'captureMaxBytes', 'captured', 'gate', 'program');
  if (killAfter !== undefined && timeout === undefined) {
    throw new BuilderError(`killAfter is ${killAfter}, and there is no timeout that it could follow`);
  }
  if (captureMaxBytes !== undefined && !captured) {
    throw new BuilderError(`captureMaxBytes is ${captureMaxBytes}, and with captured: false nothing is captured`);
  }
  for (const [name, value] of Object.entries({ timeout, killAfter })) {
    if (value !== undefined && ms(value, name) === 0) throw new BuilderError(`${name} is 0: give ms above 0, or leave it out`);
  }
  return create(DoubleActionSchema, {
    gate: gateName(gate),
    kind: {
      case: 'passthrough',
      value: {
        captureStdout: captured,
        captureStderr: captured,
        captureMaxBytes: BigInt(captureMaxBytes === undefined ? 0 : whole(captureMaxBytes, 'captureMaxBytes', 1)),
        timeoutMs: ms(timeout ?? 0, 'timeout'),
        killAfterMs: ms(killAfter ?? 0, 'killAfter'),
        program: program === undefined ? new Uint8Array() : encode(program, 'program'),
      },
    },
  });
}

/** What a handler returned, as an answer. */
export function handled(result: unknown): HandleResponse {
  let said: Response;
  if (result === undefined || result === null) {
    said = {};
  } else if (isValue(result)) {
    said = { stdout: result };
  } else if (typeof result === 'object' && !isIterable(result)) {
    said = named(result as Response, 'its answer', ...RESPONSE);
  } else {
    throw new BuilderError(`it returned ${describe(result)}: return nothing, a string or bytes (stdout), or an object with ${RESPONSE.join(', ')}`);
  }
  return create(HandleResponseSchema, { outcome: { case: 'reply', value: reply(said) }, chunks: chunks(said.chunks), files: files(said.files) });
}
