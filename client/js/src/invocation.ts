// One call of the code under test, as the journal has it, and as a handler sees it.
import { errorOf } from './errors.js';
import { buffer, decode } from './text.js';
import { CallState, CallVerdict, type CapturedStream as StreamMessage, type Invocation as Message } from './v1/control_pb.js';
import { StdinEnd } from './v1/shim_pb.js';

/** stdin of a call from an offset on, as far as it was kept. */
export type ReadStdin = (callId: bigint, offset: number) => Buffer;

const STATES = new Map([
  [CallState.PENDING, 'pending'], [CallState.ANSWERED, 'answered'], [CallState.COMPLETED, 'completed'], [CallState.LOST, 'lost'],
] as const);
const VERDICTS = new Map([
  [CallVerdict.ACCEPTED, 'accepted'], [CallVerdict.UNEXPECTED, 'unexpected'], [CallVerdict.EXCESS, 'excess'],
  [CallVerdict.OUT_OF_ORDER, 'out of order'],
] as const);
const ENDS = new Map([
  [StdinEnd.EOF, 'eof'], [StdinEnd.LIMIT, 'limit'], [StdinEnd.DEADLINE, 'deadline'], [StdinEnd.ERROR, 'error'],
] as const);

/** A variable by its entry, "NAME=value"; undefined: it has no name. */
export function split(entry: Uint8Array): [Buffer, Buffer] | undefined {
  const equals = entry.indexOf(0x3d);
  return equals < 0 ? undefined : [buffer(entry.subarray(0, equals)), buffer(entry.subarray(equals + 1))];
}

/** Of entries with the same name the first counts, as for getenv(); what has no '=' has no name. */
function environOf(entries: readonly Uint8Array[]): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const entry of entries) {
    const [name, value] = split(entry) ?? [];
    if (name && value && !found.has(decode(name))) found.set(decode(name), value);
  }
  return found;
}

/** stdin, stdout or stderr of a call, as far as it was kept. */
export class CapturedStream {
  readonly captured: boolean;
  readonly bytes: Buffer;
  /** Bytes of the whole stream, also where the beginning only was kept. */
  readonly length: number;
  /** `bytes` holds only the beginning. */
  readonly truncated: boolean;
  /** SHA-256 of the whole stream where it was read and not kept whole, else empty. */
  readonly digest: Buffer;
  /** How reading stdin ended; undefined where nobody read. */
  readonly end: 'eof' | 'limit' | 'deadline' | 'error' | undefined;

  /** @internal */
  constructor(message: StreamMessage | undefined, rest: (offset: number) => Buffer = () => Buffer.alloc(0)) {
    this.captured = message !== undefined;
    let bytes = buffer(message?.data ?? new Uint8Array());
    const end = message?.stdinEnd ?? StdinEnd.UNSPECIFIED;
    this.length = Number(message?.length ?? 0n);
    if (message && message.digest.length && end && this.length > bytes.length) { // a page of the journal has no room for it
      bytes = Buffer.concat([bytes, rest(bytes.length)]);
    }
    const whole = bytes.length === this.length && (end === StdinEnd.UNSPECIFIED || end === StdinEnd.EOF);
    this.bytes = bytes;
    this.truncated = (message?.truncated ?? false) && !whole;
    this.digest = whole || !message ? Buffer.alloc(0) : buffer(message.digest);
    this.end = ENDS.get(end as StdinEnd.EOF);
  }

  get text(): string {
    return decode(this.bytes);
  }
}

/** What is known when a call begins. Texts are read as UTF-8; each has a twin with the bytes. */
export class CallData {
  readonly id: number;
  readonly commandBytes: Buffer;
  readonly argvBytes: readonly Buffer[];
  readonly cwdBytes: Buffer;
  readonly pid: number;
  readonly ppid: number;
  /** The descriptors among 0, 1 and 2 that are terminals. */
  readonly terminals: readonly number[];
  /** The entries of the environment, in order, with duplicates and with those that have no '='. */
  readonly environEntriesBytes: readonly Buffer[];

  /** @internal */
  constructor(message: Message, entries: readonly Uint8Array[]) {
    this.id = Number(message.invocationId);
    this.commandBytes = buffer(message.command);
    this.argvBytes = message.argv.map(buffer);
    this.cwdBytes = buffer(message.cwd);
    this.pid = message.pid;
    this.ppid = message.ppid;
    this.terminals = [0, 1, 2].filter((fd) => (message.ttyMask >> fd) & 1);
    this.environEntriesBytes = entries.map(buffer);
  }

  get command(): string {
    return decode(this.commandBytes);
  }

  /** With the name that the command was called by. */
  get argv(): string[] {
    return this.argvBytes.map(decode);
  }

  /** Without it. */
  get args(): string[] {
    return this.argv.slice(1);
  }

  get argsBytes(): readonly Buffer[] {
    return this.argvBytes.slice(1);
  }

  get cwd(): string {
    return decode(this.cwdBytes);
  }

  /** The variables by name, with what withEnv() changes. */
  get environBytes(): Map<string, Buffer> {
    return environOf(this.environEntriesBytes);
  }

  /** The variables, with what withEnv() changes. */
  get environ(): Record<string, string> {
    return Object.fromEntries([...this.environBytes].map(([name, value]) => [name, decode(value)]));
  }

  /** `environ`, by its short name. */
  get env(): Record<string, string> {
    return this.environ;
  }
}

/** A call that waits for a handler. */
export class Call extends CallData {
  readonly #captured: boolean;
  readonly #read: () => Buffer;
  #stdin: Buffer | undefined;

  /** @internal */
  constructor(message: Message, entries: readonly Uint8Array[], readStdin: ReadStdin) {
    super(message, entries);
    this.#captured = message.stdinCapture !== undefined;
    this.#read = () => readStdin(message.invocationId, 0);
  }

  /** What was read of stdin; fetched when it is first asked for. */
  get stdinBytes(): Buffer {
    if (!this.#captured) {
      throw errorOf('BAD_STATE', `the stdin of this call of ${this.command} was not read: say captureStdin() or withStdin() of the double that `
        + 'runs this handler');
    }
    return (this.#stdin ??= this.#read());
  }

  get stdin(): string {
    return decode(this.stdinBytes);
  }
}

/** A call in the journal. */
export class Invocation extends CallData {
  /** What withEnv() changes, in the order in which it was said; a value of undefined: the variable is removed. */
  readonly injectedBytes: readonly (readonly [Buffer, Buffer | undefined])[];
  /** The id of the double that took it; 0: none did. */
  readonly doubleId: number;
  readonly stdinCapture: CapturedStream;
  readonly stdoutCapture: CapturedStream;
  readonly stderrCapture: CapturedStream;
  /** undefined: it died by a signal, or has not ended. */
  readonly exitCode: number | undefined;
  /** "SIGTERM" */
  readonly signal: string | undefined;
  /** On the server's monotonic clock; end 0: not ended. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** "lost": its shim was gone before it was done. */
  readonly state: 'pending' | 'answered' | 'completed' | 'lost' | 'unknown';
  /** "": not decided yet. */
  readonly verdict: 'accepted' | 'unexpected' | 'excess' | 'out of order' | '';
  readonly stdoutWritten: number;
  readonly stderrWritten: number;
  readonly brokenPipe: boolean;
  /** Of a call that was passed through: what ran; empty: it was not, or did not come so far. */
  readonly programBytes: Buffer;
  /** stdout and stderr were one open file: all of it is in stdout. */
  readonly merged: boolean;
  readonly timedOut: boolean;
  /** Something that the command started still had its output open. */
  readonly lingering: boolean;
  /** Nothing was captured: the shim became the command, and nobody saw its end. */
  readonly replaced: boolean;
  /** Why the real command could not be run; "": it could. */
  readonly passthroughFailure: string;
  /** For people: the call as a shell would write it, cut, with *** for what looks secret. */
  readonly line: string;

  /** @internal */
  constructor(message: Message, readStdin: ReadStdin) {
    super(message, message.envBlock);
    this.injectedBytes = message.injected.map(({ name, change }) => [buffer(name), change.case ? buffer(change.value) : undefined] as const);
    this.doubleId = Number(message.doubleId);
    this.stdinCapture = new CapturedStream(message.stdinCapture, (offset) => readStdin(message.invocationId, offset));
    this.stdoutCapture = new CapturedStream(message.stdoutCapture);
    this.stderrCapture = new CapturedStream(message.stderrCapture);
    this.exitCode = message.end.case === 'exitCode' ? message.end.value : undefined;
    this.signal = message.end.case === 'signal' ? message.end.value : undefined;
    this.startNs = message.startNs;
    this.endNs = message.endNs;
    this.state = STATES.get(message.state as CallState.PENDING) ?? 'unknown';
    this.verdict = VERDICTS.get(message.verdict as CallVerdict.ACCEPTED) ?? '';
    this.stdoutWritten = Number(message.stdoutWritten);
    this.stderrWritten = Number(message.stderrWritten);
    this.brokenPipe = message.brokenPipe;
    this.programBytes = buffer(message.program);
    this.merged = message.merged;
    this.timedOut = message.timedOut;
    this.lingering = message.lingering;
    this.replaced = message.replaced;
    this.passthroughFailure = message.passthroughFailure;
    this.line = message.line;
  }

  get program(): string {
    return decode(this.programBytes);
  }

  override get environBytes(): Map<string, Buffer> {
    const found = super.environBytes;
    for (const [name, value] of this.injectedBytes) {
      found.delete(decode(name));
      if (value) found.set(decode(name), value);
    }
    return found;
  }

  /** What was read; "" where nothing was asked for (stdinCapture.captured). */
  get stdin(): string {
    return this.stdinCapture.text;
  }

  get stdinBytes(): Buffer {
    return this.stdinCapture.bytes;
  }

  get stdout(): string {
    return this.stdoutCapture.text;
  }

  get stdoutBytes(): Buffer {
    return this.stdoutCapture.bytes;
  }

  get stderr(): string {
    return this.stderrCapture.text;
  }

  get stderrBytes(): Buffer {
    return this.stderrCapture.bytes;
  }
}
