// A session: record, replay, verify.
import { ChildProcess } from 'node:child_process';
import { inspect } from 'node:util';

import { answerAction, gateName, passAction, type Answer, type Passing } from './answers.js';
import { Control } from './control.js';
import { Double, type Kind } from './double.js';
import { Applied } from './environment.js';
import { BuilderError, CmdMoxError, UnverifiedError, VerificationError, errorOf } from './errors.js';
import { split, type Invocation } from './invocation.js';
import * as living from './living.js';
import { Location, caller, outward, said } from './location.js';
import { reportOf, type Report } from './report.js';
import { connectedServer, sharedServer, type Server } from './server.js';
import { buffer, decode, describe, encode, flag, folders, ms, named, utf8, whole, type Value } from './text.js';
import * as v1 from './v1/control_pb.js';
import type { DoubleAction } from './v1/double_pb.js';

export type Format = 'text' | 'json' | 'junit' | 'tap';

const FORMATS: Record<Format, v1.ReportFormat> = {
  text: v1.ReportFormat.UNSPECIFIED, json: v1.ReportFormat.JSON, junit: v1.ReportFormat.JUNIT, tap: v1.ReportFormat.TAP,
};

/** What a session can be made with. */
export interface Options {
  /** The test's name, for reports. */
  label?: string;
  /** The shims stand in the place of PATH, so that nothing runs that has no double and is not allowed. */
  contained?: boolean;
  /** How many calls the journal keeps. */
  maxJournalEntries?: number;
  /** ms that a handler or a predicate may take (30000). */
  callbackDeadline?: number;
  /** PATH of the code under test, if it is not this process's. */
  path?: string;
  /** "apply" (the default): replay() puts the shims on PATH in process.env; "none": `environ` is for the child that is started. */
  environment?: 'apply' | 'none';
  /** Whether `using` verifies at the end of its block; true. */
  verifyOnExit?: boolean;
  /** The cmdmox program. */
  program?: string;
  /** The address of a server that listens, in place of a child of this process. */
  connect?: string;
}

/** @internal Their names. */
export const OPTIONS = [
  'label', 'contained', 'maxJournalEntries', 'callbackDeadline', 'path', 'environment', 'verifyOnExit', 'program', 'connect',
] as const satisfies readonly (keyof Options)[];

/** Doubles for commands: declare them, replay(), run the code under test, verify().
 *
 *     CmdMox.use((mox) => {
 *       mox.mock('git').withArgs('describe', '--tags').returns('v1.4.0\n');
 *       mox.replay();
 *       assert.equal(releaseVersion(), 'v1.4.0');
 *     });
 *
 * use() verifies and ends the session, and an error of the body wins. So do `using` and `await using` at the end of the
 * block, but there an error of the body is hidden in a SuppressedError when verification fails, too. replay() puts the shims on PATH in process.env, and verify() takes them off again.
 */
export class CmdMox {
  readonly location: Location;
  readonly label: string;
  /** Whether `using` verifies at the end of its block. */
  verifyOnExit: boolean;
  /** What verify(), or the end of the session, has found. */
  lastReport: Report | undefined;
  /** @internal */
  readonly server: Server;
  readonly #control: Control;
  readonly #format: Format;
  readonly #appliesEnvironment: boolean;
  readonly #ownServer: boolean;
  readonly #pathWasSaid: boolean;
  readonly #ownPath: string | undefined;
  readonly #applied = new Applied();
  readonly #doubles = new Map<number, Double>();
  #entries: readonly Uint8Array[];
  #pathIsFixed: boolean;
  #position = 0;
  #replayed = false;
  #verified = false;
  #unverified = false;
  #closed = false;
  #asked = false; // for what has the code under test find the shims, where process.env has them not

  constructor(options?: Options) {
    this.location = caller();
    const made = said('CmdMox', () => {
      const known = named(options, 'CmdMox', ...OPTIONS);
      const format = process.env.CMOX_REPORT || 'text';
      if (!isFormat(format)) throw new BuilderError(`CMOX_REPORT is "${format}": write text, json, junit or tap`);
      const { environment = 'apply', connect, program, callbackDeadline } = known;
      if (environment !== 'apply' && environment !== 'none') {
        throw new BuilderError(`environment is ${describe(environment)}: give "apply" or "none"`);
      }
      if (connect !== undefined && program !== undefined) {
        throw new BuilderError('program is that of a server which is started here; the one that connect names has its own');
      }
      const path = known.path === undefined ? process.env.PATH : folders(known.path);
      const request = {
        label: utf8(known.label ?? '', 'label'),
        dialect: 'javascript',
        contained: flag(known.contained ?? false, 'contained'),
        callbackDeadlineMs: callbackDeadline === undefined ? 0 : Math.max(ms(callbackDeadline, 'callbackDeadline'), 1),
        ...(path === undefined ? {} : { pathPresence: { case: 'path' as const, value: encode(path, 'path') } }),
        ...(known.maxJournalEntries === undefined ? {}
          : { journalBound: { case: 'maxJournalEntries' as const, value: BigInt(whole(known.maxJournalEntries, 'maxJournalEntries', 1)) } }),
      };
      const server = connect === undefined ? sharedServer(program) : connectedServer(connect);
      try {
        const control = new Control(server, request);
        if (request.callbackDeadlineMs) server.setDeadline(control.id, request.callbackDeadlineMs);
        return { known, format, server, control, path, environment, label: request.label };
      } catch (error) {
        if (connect !== undefined) server.end();
        throw error;
      }
    }, this.location);
    this.label = made.label;
    this.verifyOnExit = made.known.verifyOnExit ?? true;
    this.server = made.server;
    this.#control = made.control;
    this.#format = made.format;
    this.#appliesEnvironment = made.environment === 'apply';
    this.#ownServer = made.known.connect !== undefined;
    this.#pathWasSaid = made.known.path !== undefined;
    this.#ownPath = made.path;
    this.#pathIsFixed = Boolean(made.known.contained);
    this.#entries = made.control.created.envBlock;
  }

  toString(): string {
    return `CmdMox ${this.label || this.location} ${this.phase}`;
  }

  /** How util.inspect(), and with it a failed assertion, shows it. */
  [inspect.custom](): string {
    return `<${this}>`;
  }

  // ---- Doubles ------------------------------------------------------------------------------------------------------

  /** Must be called, once unless times() says otherwise. Each call of this makes a new expectation. */
  mock(command: Value): Double {
    return this.#double('mock', command);
  }

  /** May be called any number of times. */
  stub(command: Value): Double {
    return this.#double('stub', command);
  }

  /** The same, and you ask for its calls afterwards. */
  spy(command: Value): Double {
    return this.#double('spy', command);
  }

  #double(kind: Kind, command: Value): Double {
    const double = said(kind, (where) => new Double(this, this.#open(), kind, command, where));
    this.#doubles.set(double.id, double);
    return double;
  }

  /** All that were declared, in their order. */
  get doubles(): Double[] {
    return [...this.#doubles.values()];
  }

  /** That of an Invocation or a Finding; undefined: of no double. */
  double(id: number): Double | undefined {
    return this.#doubles.get(id);
  }

  /** @internal In all sequences: positions only grow. */
  nextPosition(): number {
    return this.#position++;
  }

  /** Mocks, of whatever commands, that must be called one after the other. Said again, the order goes on where it ended. */
  inOrder(...doubles: Double[]): void {
    said('inOrder', () => this.#lineUp('', doubles));
  }

  /** The same in an order of this name, beside others. */
  inSequence(name: string, ...doubles: Double[]): void {
    said('inSequence', () => this.#lineUp(name, doubles));
  }

  #lineUp(name: unknown, doubles: readonly unknown[]): void {
    doubles.forEach((double, index) => {
      if (!(double instanceof Double) || double.mox !== this) {
        throw new BuilderError(`${describe(double)}, number ${index + 1} of the list, is no double of this session`);
      }
      double.takePlace(name);
    });
  }

  // ---- Commands without doubles ---------------------------------------------------------------------------------------

  /** Makes shims for commands that have no double: each call of them is unexpected. */
  registerCommand(...commands: Value[]): void {
    said('registerCommand', () => {
      const request = { commands: commands.map((each) => encode(each, 'command')) };
      this.#open().ask('RegisterCommands', v1.RegisterCommandsRequestSchema, request, v1.RegisterCommandsResponseSchema);
    });
  }

  /** In a contained session: these run for real, the first of each name on PATH. */
  allow(...commands: Value[]): void {
    said('allow', () => {
      const request = { commands: commands.map((each) => encode(each, 'command')) };
      this.#open().ask('AllowCommands', v1.AllowCommandsRequestSchema, request, v1.AllowCommandsResponseSchema);
    });
  }

  /** Has commands look as if they were not installed. Before replay(). */
  absent(...commands: Value[]): void {
    said('absent', () => {
      const control = this.#open();
      const ask = (words: Uint8Array[]): v1.MakeAbsentResponse =>
        control.ask('MakeAbsent', v1.MakeAbsentRequestSchema, { commands: words }, v1.MakeAbsentResponseSchema);
      const words = commands.map((each) => encode(each, 'command'));
      try {
        ask(words);
      } finally { // those before the one that failed are absent
        this.#entries = ask([]).envBlock;
        this.#pathIsFixed ||= words.length > 0;
      }
    });
  }

  /** What answers the calls that no double accepts, in place of 125 and a finding. The last word counts. */
  defaultReturns(answer?: Answer | Value): void {
    said('defaultReturns', () => this.#setDefault(answerAction(answer, 'defaultReturns()')));
  }

  /** The real command answers them: a spy on all that the test does not mention. */
  defaultPassthrough(options?: Passing): void {
    said('defaultPassthrough', () => this.#setDefault(passAction(options, 'defaultPassthrough()')));
  }

  /** They are refused again, as at first. */
  defaultFails(): void {
    said('defaultFails', () => this.#setDefault(undefined));
  }

  #setDefault(action: DoubleAction | undefined): void {
    const request = action ? { action } : {};
    this.#open().ask('SetDefaultAction', v1.SetDefaultActionRequestSchema, request, v1.SetDefaultActionResponseSchema);
  }

  // ---- Replay and verify ----------------------------------------------------------------------------------------------

  get phase(): 'record' | 'replay' | 'verified' | 'closed' {
    if (this.#closed) return 'closed';
    if (this.#verified) return 'verified';
    return this.#replayed ? 'replay' : 'record';
  }

  /** From here on calls are answered. Doubles may still be declared and refined, until verify(). Twice is fine. */
  replay(): void {
    said('replay', () => {
      const control = this.#open();
      control.forbidInCallback('replay');
      if (this.#verified) throw errorOf('BAD_STATE', 'this session was verified: make a new one');
      this.#followPath();
      const path = this.#pathBehind();
      const before = this.#applied.active;
      try {
        if (this.#appliesEnvironment) this.#applied.apply(this.#variables(), this.#name());
        const request = path === undefined ? {} : { pathPresence: { case: 'path' as const, value: encode(path, 'PATH') } };
        control.ask('Replay', v1.ReplayRequestSchema, request, v1.ReplayResponseSchema);
        living.add(this);
        this.#replayed = this.#unverified = true;
      } catch (error) {
        if (!before) this.#applied.restore();
        throw error;
      }
    });
  }

  /** Compares what was declared with what happened, and takes the shims off process.env. Throws VerificationError with the
   * report; what is only worth saying is in the report that is returned. Also throws (LifecycleError) when nobody could find
   * the shims: doubles, environment: "none", and `environ` was never asked for. May be called again. keepEnvironment: the shims
   * stay until close(), so that commands that still run meet one that refuses, and not the real command. */
  verify(options?: { keepEnvironment?: boolean }): Report {
    const report = said('verify', () => {
      const { keepEnvironment } = named(options, 'verify()', 'keepEnvironment');
      this.#open().forbidInCallback('verify');
      if (!keepEnvironment) this.#applied.restore();
      if (!this.#replayed) throw errorOf('BAD_STATE', 'this session was never replayed: call replay() before the code under test runs');
      this.#unverified = false;
      return this.#askReport(this.#format, false);
    });
    this.#verified = true;
    this.lastReport = report;
    if (!report.passed) {
      const failure = this.#control.callbacks.failure;
      throw outward(new VerificationError(report.text + this.#hintOf(report), report.findings, failure && { cause: failure.error }));
    }
    said('verify', () => this.#forbidPassingBy());
    return report;
  }

  /** What nobody but this process knows: calls that are missing may still come, of a child that runs. */
  #hintOf(report: Report): string {
    const missing = report.findings.some((each) => each.kind === 'UNFULFILLED' && !each.advisory);
    if (this.#format !== 'text' || !missing || !childrenRun()) return '';
    return '\nCommands that the test has started still run: is there an await missing?\n';
  }

  /** Nothing can have reached the shims: what has passed is no test. */
  #forbidPassingBy(): void {
    if (this.#appliesEnvironment || this.#asked || !this.#doubles.size || this.#control.count() > 0) return;
    throw errorOf('BAD_STATE', `${this.#name()} has doubles, and nobody asked for its environment: the commands were the real ones. Start the code `
      + 'under test with env: mox.environ, or leave environment: "none" out');
  }

  /** What verify() finds, as text, or as JSON, JUnit or TAP; throws nothing when it failed. From here on nothing can be
   * declared. */
  report(options?: { format?: Format; color?: boolean }): Report {
    return said('report', () => {
      const { format = 'text', color = false } = named(options, 'report()', 'format', 'color');
      if (!isFormat(format)) throw new BuilderError(`format is ${describe(format)}: give text, json, junit or tap`);
      return this.#askReport(format, color);
    });
  }

  #askReport(format: Format, color: boolean): Report {
    const request = { format: FORMATS[format], color };
    return reportOf(this.#open().ask('Verify', v1.VerifyRequestSchema, request, v1.VerifyResponseSchema));
  }

  /** Ends the session and restores the environment. One that was replayed and not verified is verified now and throws
   * UnverifiedError, even if nothing is wrong: what nobody looks at must not pass. Twice is fine. */
  close(): void {
    if (this.#closed) return;
    said('close', () => this.#control.forbidInCallback('close'));
    const text = this.settle();
    if (text) throw outward(new UnverifiedError(text));
  }

  /** Ends the session, whatever state it is in; what is to be said of one that nobody verified, or undefined. Throws
   * nothing. */
  settle(): string | undefined {
    if (this.#closed) return undefined;
    this.#applied.restore();
    const text = this.#unverified ? this.#settleUnverified() : undefined;
    this.#closed = true;
    this.#unverified = false;
    living.remove(this);
    this.#control.forget();
    try {
      if (!this.server.silent) this.#control.ask('DeleteSession', v1.DeleteSessionRequestSchema, {}, v1.DeleteSessionResponseSchema);
      if (this.#ownServer) this.server.end();
    } catch {
      // the server is gone, and the session with it
    }
    return text;
  }

  #settleUnverified(): string {
    let saidOfIt: string;
    try {
      this.lastReport = this.#askReport(this.#format, false);
      saidOfIt = this.lastReport.passed ? 'would have passed: call it, or no failure is ever seen' : `fails:\n${this.lastReport.text}`;
    } catch (error) {
      saidOfIt = `cannot be done any more: ${(error as Error).message}`;
    }
    return `${this.#name()} ends without verify(), which ${saidOfIt}`;
  }

  #name(): string {
    return this.label ? `the session "${this.label}" (${this.location})` : `the session of ${this.location}`;
  }

  // ---- The block ------------------------------------------------------------------------------------------------------

  /** The end of a block with `using`: verifies, unless verifyOnExit is false, and ends the session. */
  [Symbol.dispose](): void {
    this.#leave('leaving the block', false);
  }

  /** The end of a block with `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#leave('leaving the block', false);
  }

  /** Runs a function with a session that is verified and ended when it returns, or when its promise is settled. An error
   * of the function's wins: the report is its cause, where it has none, and else on stderr. */
  static use<T>(body: (mox: CmdMox) => PromiseLike<T>, options?: Options): Promise<T>;
  static use<T>(body: (mox: CmdMox) => T, options?: Options): T;
  static use<T>(body: (mox: CmdMox) => T | PromiseLike<T>, options?: Options): T | Promise<T> {
    if (typeof body !== 'function') throw outward(new BuilderError(`${caller()}: use: the body is ${describe(body)}: give a function that takes the session`));
    const mox = new CmdMox(options);
    const failed = (error: unknown): never => {
      mox.#leaveAfter(error);
      throw error;
    };
    const done = (result: T): T => {
      mox.#leave('leaving the block', false);
      return result;
    };
    let result: T | PromiseLike<T>;
    try {
      result = body(mox);
    } catch (error) {
      return failed(error);
    }
    return isThenable(result) ? Promise.resolve(result).then(done, failed) : done(result);
  }

  /** Verifies and ends; failed: the body has an error of its own, which says more than a replay that was never reached. */
  #leave(what: string, failed: boolean): void {
    if (this.#closed) return;
    said(what, () => this.#control.forbidInCallback('the end of the block'));
    try {
      if (!this.verifyOnExit) return;
      if (this.#unverified) {
        this.verify();
      } else if (!this.#replayed && this.#doubles.size && !failed) {
        throw outward(errorOf('BAD_STATE', `${this.#name()} was never replayed: call replay() before the code under test runs, or its calls meet `
          + 'the real commands'));
      }
    } finally {
      this.#unverified = false; // the test has said so, or is told already
      this.settle();
    }
  }

  #leaveAfter(error: unknown): void {
    try {
      this.#leave('leaving the block', true);
    } catch (ours) {
      if (!(ours instanceof CmdMoxError)) throw ours;
      if (error instanceof Error && error.cause === undefined && Object.isExtensible(error)) {
        Object.defineProperty(error, 'cause', { value: ours, configurable: true, writable: true });
      } else {
        living.write(ours.message);
      }
    }
  }

  // ---- The environment ------------------------------------------------------------------------------------------------

  /** The environment for the code under test: this process's own as it is now, with the shims on PATH. Where it is given
   * to spawn() and the like, they look up the command there, too. */
  get environ(): Record<string, string> {
    this.#asked = true;
    said('environ', () => this.#followPath());
    const own = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return { ...Object.fromEntries(own), ...this.#variables() };
  }

  /** The directory that goes first on PATH. */
  get shimDirectory(): string {
    this.#asked = true;
    return this.#directory;
  }

  get #directory(): string {
    return decode(this.#control.created.shimDirectory);
  }

  /** 16 bytes; whoever may connect to the server and knows them may use the session. */
  get sessionId(): Buffer {
    this.#asked = true; // another process may ask for the environment with it
    return buffer(this.#control.created.sessionId);
  }

  #variables(): Record<string, string> {
    return Object.fromEntries(this.#entries.map((entry) => split(entry) ?? []).filter((pair) => pair.length)
      .map(([name, value]) => [decode(name as Buffer), decode(value as Buffer)]));
  }

  /** PATH of the test may have changed since the session was made. */
  #followPath(): void {
    const now = this.#applied.valueBefore('PATH');
    if (this.#pathWasSaid || now === undefined || now === this.#ownPath) return;
    if (this.#pathIsFixed) {
      throw errorOf('BAD_STATE', 'PATH has changed since this session was made: one that is contained or has absent commands is made for PATH as it was '
        + 'then; change it before');
    }
    if (now.startsWith(`${this.#directory}:`)) return;
    const others = this.#entries.filter((entry) => !decode(entry).startsWith('PATH='));
    this.#entries = [...others, Buffer.from(`PATH=${this.#directory}:${now}`)];
  }

  /** What stands behind the shims on PATH, where the server is to hear of it. */
  #pathBehind(): string | undefined {
    if (this.#pathIsFixed || this.#pathWasSaid) return undefined;
    const prefix = `${this.#directory}:`;
    const path = this.#variables().PATH;
    return path?.startsWith(prefix) ? path.slice(prefix.length) : undefined;
  }

  // ---- What calls there were ------------------------------------------------------------------------------------------

  /** All calls of the session, or of this command, accepted or not, in order of start. */
  invocations(command?: Value): Invocation[] {
    return said('invocations', () => this.#open().invocations(0, command === undefined ? new Uint8Array() : encode(command, 'command')));
  }

  /** invocations() of all commands. */
  get journal(): Invocation[] {
    return said('journal', () => this.#open().invocations());
  }

  /** So many calls there were before those of the journal: maxJournalEntries did not keep them. */
  get dropped(): number {
    return said('dropped', () => Number(this.#open().pages(0, new Uint8Array()).next().value?.dropped ?? 0));
  }

  /** How many calls there were, or of this command. */
  callCount(command?: Value): number {
    return said('callCount', () => this.#open().count(0, command === undefined ? new Uint8Array() : encode(command, 'command')));
  }

  /** Answers all calls that wait at this gate; how many. */
  release(gate: string): number {
    return said('release', () => {
      if (gate === undefined) throw new BuilderError('there is no gate: give its name');
      const request = { gate: gateName(gate) };
      return Number(this.#open().ask('ReleaseCalls', v1.ReleaseCallsRequestSchema, request, v1.ReleaseCallsResponseSchema).released);
    });
  }

  #open(): Control {
    if (this.#closed) throw errorOf('BAD_STATE', 'this session has ended: make a new one');
    return this.#control;
  }
}

/** Of this thread; those that it does not wait for (unref()) do not count, and the server is none of them. The documented
 * getActiveResourcesInfo() also names a child whose end was told already, in that turn of the event loop. */
function childrenRun(): boolean {
  const handles = (process as { _getActiveHandles?(): unknown[] })._getActiveHandles?.() ?? [];
  return handles.some((each) => each instanceof ChildProcess && each.exitCode === null && each.signalCode === null);
}

function isFormat(text: unknown): text is Format {
  return typeof text === 'string' && Object.hasOwn(FORMATS, text);
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
