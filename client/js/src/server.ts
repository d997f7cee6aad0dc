// The server that sessions live in: a child of this process that all of its sessions share, or one that listens somewhere.
//
// The child is started with the first session. It reads its own CMOX_ variables at its start, so a session that needs
// others gets another child.
import fs from 'node:fs';
import path from 'node:path';

import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';

import { theBridge, type Listener } from './bridge.js';
import { Callbacks } from './callbacks.js';
import { CmdMoxError, errorOf } from './errors.js';
import * as living from './living.js';
import type { Patience, Word } from './post.js';
import { findProgram } from './program.js';
import { describe, printable } from './text.js';
import { DeleteSessionRequestSchema } from './v1/control_pb.js';
import { SOFTWARE } from './version.js';

const PATIENCE = 30; // seconds that a server may say nothing of a request, unless CMOX_IPC_TIMEOUT says otherwise
const PATIENCE_MOST = 86400;
const SOCKET_PATH_MOST = 107;
/** What a server, or its link, reads from the environment once. */
const VARIABLES = ['CMOX_IPC_TIMEOUT', 'CMOX_SHIM', 'CMOX_TMPDIR', 'CMOX_TRACE', 'CMOX_WATCH'];

/** CMOX_IPC_TIMEOUT: seconds, or none for as long as it takes. */
function readPatience(): Patience {
  const text = process.env.CMOX_IPC_TIMEOUT;
  if (text === undefined) return PATIENCE * 1000;
  if (text === 'none') return 0;
  const seconds = /^(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : 0;
  if (seconds > 0 && seconds <= PATIENCE_MOST) return Math.max(Math.round(seconds * 1000), 1);
  throw errorOf('BAD_TIMEOUT', `CMOX_IPC_TIMEOUT is "${text}": write seconds, such as 5 or 0.5, or none`);
}

let lastLink = 0;

/** A link, and who answers which session's callbacks on it. */
export class Server implements Listener {
  /** By the session's id, in hexadecimal. */
  readonly callbacks = new Map<string, Callbacks>();
  /** Of a child. */
  pid: number | undefined;
  /** A request has waited for too long, and nothing was heard since. */
  silent = false;
  /** Why the link has ended. */
  broken: { reason: string; message: string } | undefined;
  private readonly bridge = theBridge();
  private readonly link = ++lastLink;

  constructor(private readonly target: { program: string } | { path: string; address: string }) {
    const patience = readPatience();
    const common = { link: this.link, software: SOFTWARE, patience };
    this.bridge.listen(this.link, this);
    living.atExit(endAll);
    if ('program' in this.target) this.bridge.ask({ do: 'start', ...common, ...this.target, env: { ...process.env } });
    else this.bridge.ask({ do: 'connect', ...common, ...this.target });
  }

  state(word: Word & { say: 'state' }): void {
    this.pid = word.pid ?? this.pid;
    this.silent = word.silent ?? this.silent;
    this.broken ??= word.broken;
  }

  ask({ id, method, payload }: Word & { say: 'ask' }): boolean {
    if (Callbacks.deepEnough()) return false;
    this.bridge.post({ do: 'taken', link: this.link, id });
    const answer = (result: Uint8Array | CmdMoxError): void => {
      const said = result instanceof CmdMoxError ? { reason: result.reason, message: printable(result.message) } : { payload: result };
      this.bridge.post({ do: 'respond', link: this.link, id, ...said });
    };
    Callbacks.answer(this.callbacks, method, payload, answer);
    return true;
  }

  /** Makes a request of ControlService and waits for its response. */
  call<Q extends DescMessage, A extends DescMessage>(method: string, question: Q, request: MessageInitShape<Q>, answer: A): MessageShape<A> {
    const payload = this.bridge.ask({ do: 'call', link: this.link, method, payload: toBinary(question, create(question, request)) });
    try {
      return fromBinary(answer, payload);
    } catch (error) {
      throw errorOf('BAD_PAYLOAD', `the server's answer to ${method} cannot be read (${(error as Error).message}): the program and this `
        + 'package are of two releases that do not go together');
    }
  }

  /** Ends a session without waiting for it. */
  forget(sessionId: Uint8Array): void {
    const payload = toBinary(DeleteSessionRequestSchema, create(DeleteSessionRequestSchema, { sessionId }));
    this.bridge.post({ do: 'tell', link: this.link, method: 'DeleteSession', payload });
  }

  setDeadline(sessionId: Uint8Array, ms: number): void {
    this.bridge.post({ do: 'deadline', link: this.link, session: Buffer.from(sessionId).toString('hex'), ms });
  }

  /** What has happened to the link meanwhile is known. */
  look(): void {
    while (this.bridge.poll());
  }

  /** Ends the link, and the child behind it. */
  end(): void {
    this.ending()();
  }

  /** Has them ended; what is returned waits for that. */
  ending(): () => void {
    const n = this.bridge.begin({ do: 'end', link: this.link });
    return () => void this.bridge.answerTo(n);
  }

  /** Ends a child that does not end by itself, also one that is stopped. */
  kill(): void {
    if (this.pid !== undefined) process.kill(this.pid, 'SIGKILL');
  }
}

// ---- The servers of this process ---------------------------------------------------------------------------------------

const children = new Map<string, Server>();

/** The child that sessions with this program and this environment share; starts it, also in place of one that has ended, or
 * does not answer any more. */
export function sharedServer(named: string | undefined): Server {
  const program = findProgram(named);
  const key = JSON.stringify([program, ...VARIABLES.map((name) => process.env[name] ?? null)]);
  let server = children.get(key);
  server?.look();
  if (server && (server.broken || server.silent)) {
    children.delete(key);
    server.end();
    server = undefined;
  }
  if (!server) {
    server = new Server({ program });
    children.set(key, server);
  }
  return server;
}

/** A link of its own to a server that listens. */
export function connectedServer(address: string): Server {
  const file = socketPath(address);
  checkOwner(file);
  return new Server({ path: file, address });
}

/** Ends the children; at the exit of this process, when no session needs them any more. */
export function endAll(): void {
  const servers = [...children.values()].map((server) => ({ server, gone: server.broken, ended: server.ending() }));
  children.clear();
  for (const { server, gone, ended } of servers) {
    try {
      ended();
    } catch {
      if (!gone) server.kill();
    }
  }
}

function socketPath(address: string): string {
  if (typeof address !== 'string') throw errorOf('BAD_ADDRESS', `connect is ${describe(address)}: write unix:/path/to/socket`);
  const scheme = /^([^:/.][^:]*):/.exec(address)?.[1];
  if (scheme !== undefined && scheme !== 'unix') {
    throw errorOf('UNSUPPORTED_SCHEME', `unsupported address scheme: ${address}; write unix:/path/to/socket`);
  }
  const file = scheme ? address.slice('unix:'.length) : address;
  if (!file || file.includes('\0')) throw errorOf('BAD_ADDRESS', `malformed address: ${describe(address)}; write unix:/path/to/socket`);
  if (Buffer.byteLength(file) > SOCKET_PATH_MOST) {
    throw errorOf('PATH_TOO_LONG', `socket path too long: ${file}; at most ${SOCKET_PATH_MOST} bytes are possible`);
  }
  return file;
}

function statOf(file: string): fs.Stats | undefined {
  try {
    return fs.statSync(file);
  } catch {
    return undefined;
  }
}

/** A server gives out a directory that goes first on PATH: only one of our own or of root's may. Node does not tell who is at
 * the other end of a socket, so that nobody else may be able to put another one there. */
function checkOwner(file: string): void {
  const me = process.geteuid?.();
  const its = statOf(file);
  if (me === undefined || !its) return; // connecting says so
  if (its.uid !== me && its.uid !== 0) {
    throw errorOf('PERMISSION_DENIED', `the server at ${file} belongs to another user (uid ${its.uid}): its commands would run as you; start one `
      + 'of your own');
  }
  for (let folder = fs.realpathSync(path.dirname(file)), above = ''; folder !== above; folder = path.dirname(folder)) {
    above = folder === path.dirname(folder) ? folder : '';
    const { uid, mode } = fs.statSync(folder);
    const others = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
    if (others || (uid !== me && uid !== 0)) {
      throw errorOf('PERMISSION_DENIED', `the server at ${file} may be another user's, who can write to ${folder}: its commands would run as you; have `
        + 'it listen where only you can write');
    }
  }
}
