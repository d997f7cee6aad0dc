// A double: one expectation of a session. Each word refines it, is sent at once, and returns the double.
//
// A double has one list of arguments, one stdin, one working directory, one count and one lasting answer: saying it again
// replaces the whole of what was said before. Variables, turns of returnsOnce() and places in sequences add up.
import { inspect } from 'node:util';

import { create, type MessageInitShape } from '@bufbuild/protobuf';

import { answerAction, passAction, type Answer, type Passing } from './answers.js';
import type { Handler } from './callbacks.js';
import type { Control } from './control.js';
import { BuilderError, CmdMoxError, VerificationError, errorOf } from './errors.js';
import type { Invocation } from './invocation.js';
import { outward, said, type Location } from './location.js';
import { isUnset, nameOf, Table, variableName, type Argument, type Matching } from './matchers.js';
import type { CmdMox } from './session.js';
import { decode, describe, encode, isValue, ms, named, whole, type Value } from './text.js';
import { AssertCallsRequestSchema, AssertCallsResponseSchema, CallAssertion, CreateDoublesRequestSchema, CreateDoublesResponseSchema } from './v1/control_pb.js';
import { DoubleActionSchema, DoubleKind, StdinMode, type DoubleAction, type DoubleSchema } from './v1/double_pb.js';

type Patch = MessageInitShape<typeof DoubleSchema>;

export type Kind = 'mock' | 'stub' | 'spy';
const KINDS = { stub: DoubleKind.STUB, mock: DoubleKind.MOCK, spy: DoubleKind.SPY };

const SHOWN = 20; // calls in a failed assertion about their number

/** Made by CmdMox.mock(), stub() and spy(). Without further words it accepts every call of its command and answers with
 * nothing and exit status 0. */
export class Double {
  readonly id: number;
  readonly commandBytes: Buffer;
  readonly #control: Control;

  /** @internal */
  constructor(readonly mox: CmdMox, control: Control, readonly kind: Kind, command: Value, readonly location: Location) {
    this.#control = control;
    this.commandBytes = encode(command, 'command');
    const request = { doubles: [{ command: this.commandBytes, kind: KINDS[kind], location: location.message() }] };
    this.id = Number(control.ask('CreateDoubles', CreateDoublesRequestSchema, request, CreateDoublesResponseSchema).doubleIds[0]);
  }

  get command(): string {
    return decode(this.commandBytes);
  }

  toString(): string {
    return `${this.kind} ${this.command} (${this.location})`;
  }

  /** How util.inspect(), and with it a failed assertion, shows it. */
  [inspect.custom](): string {
    return `<${this}>`;
  }

  /** One word: what it says becomes a patch. */
  #say(name: string, patch: (table: Table) => Patch): this {
    return said(name, () => {
      const table = new Table((predicate) => this.#control.callbacks.add(predicate));
      const its = patch(table);
      this.#control.update(this.id, { ...its, matchers: table.nodes });
      return this;
    });
  }

  // ---- What it accepts ----------------------------------------------------------------------------------------------

  /** Exactly these arguments; without any: none. Matchers, RegExps and functions may stand among them. */
  withArgs(...args: Argument[]): this {
    return this.#say('withArgs', (table) => argumentsOf(table, args));
  }

  /** Calls whose whole stdin is this, or is accepted by the matcher. Reads the caller's stdin, to its end; a call whose
   * stdin has no end within 5 s is unexpected. */
  withStdin(expected: Matching): this {
    return this.#say('withStdin', (table) => ({ stdinMatch: { node: table.add(expected) } }));
  }

  /** Calls from this working directory. */
  withCwd(expected: Matching): this {
    return this.#say('withCwd', (table) => ({ cwdMatch: { node: table.add(expected) } }));
  }

  /** Calls whose environment has this variable accepted by the matcher; with unset(), calls that do not have it. */
  withMatchingEnv(name: Value, expected: Matching): this {
    return this.#say('withMatchingEnv', (table) => {
      const test = isUnset(expected) ? { case: 'absent' as const, value: true } : { case: 'node' as const, value: table.add(expected) };
      return { envMatch: { append: true, items: [{ name: variableName(name), test }] } };
    });
  }

  /** Gives the call these variables: one that has another value is not accepted, and where it is missing it is set for
   * what handles the call, and in the journal. A value of null removes it. */
  withEnv(variables: Readonly<Record<string, Value | null>>): this;
  withEnv(name: Value, value: Value | null): this;
  withEnv(first: Value | Readonly<Record<string, Value | null>>, value?: Value | null): this {
    return this.#say('withEnv', () => {
      const pairs: [unknown, unknown][] = isValue(first) ? [[first, value]] : Object.entries(variablesOf(first));
      const changes = pairs.map(([name, its]) => {
        const bytes = variableName(name);
        if (its === undefined) throw new BuilderError(`the value of ${describe(name)} is missing: give a string, or null to remove the variable`);
        return its === null ? { name: bytes } : { name: bytes, change: { case: 'value' as const, value: encode(its, `value of ${decode(bytes)}`) } };
      });
      return { envInjection: { append: true, changes } };
    });
  }

  /** Reads the caller's stdin into the journal: at most so many bytes (16 MiB), for so many ms (5000). Without this and
   * withStdin() stdin is left alone: it belongs to the caller. */
  captureStdin(options?: { maxBytes?: number; deadline?: number }): this {
    return this.#say('captureStdin', () => {
      const { maxBytes, deadline } = named(options, 'captureStdin()', 'maxBytes', 'deadline');
      return {
        stdinPolicy: {
          mode: StdinMode.CAPTURE,
          maxBytes: BigInt(maxBytes === undefined ? 0 : whole(maxBytes, 'maxBytes', 1)),
          deadlineMs: deadline === undefined ? 0 : Math.max(ms(deadline, 'deadline'), 1),
        },
      };
    });
  }

  /** Reads the caller's stdin to its end and drops it: who writes to the command gets no SIGPIPE. */
  drainStdin(): this {
    return this.#say('drainStdin', () => ({ stdinPolicy: { mode: StdinMode.DRAIN } }));
  }

  // ---- What it answers ----------------------------------------------------------------------------------------------

  #act(name: string, action: () => DoubleAction, repeat: () => number): this {
    return this.#say(name, () => ({ actions: { append: true, items: [{ ...action(), repeat: BigInt(repeat()) }] } }));
  }

  /** What it answers from here on: its stdout, or an object. First the chunks, then, after `delay` ms, the files, stdout
   * and stderr; at a gate only when release() names it. */
  returns(answer?: Answer | Value): this {
    return this.#act('returns', () => answerAction(answer, 'returns()'), forEver);
  }

  /** What it answers to the next call only. Said again, the turns follow each other; then comes what returns() said, or
   * else the last turn again. */
  returnsOnce(answer?: Answer | Value): this {
    return this.#act('returnsOnce', () => answerAction(answer, 'returnsOnce()'), once);
  }

  /** The same for the next calls, so many. */
  returnsTimes(times: number, answer?: Answer | Value): this {
    return this.#act('returnsTimes', () => answerAction(answer, 'returnsTimes()'), () => whole(times, 'times', 1));
  }

  #handler(handler: Handler): DoubleAction {
    if (typeof handler !== 'function') throw new BuilderError(`the handler is ${describe(handler)}: give a function that takes the call`);
    const name = nameOf(handler);
    const number = this.#control.callbacks.add({ handler, name });
    return create(DoubleActionSchema, { kind: { case: 'handler', value: BigInt(number) }, handlerName: name });
  }

  /** Has a function of the test's answer. It gets a Call, and returns nothing, its stdout, or a Response; or a promise of
   * that. It runs on the test's thread, while the code under test waits, also in spawnSync(), where it may return no
   * promise; what it throws fails the call and the test. */
  runs(handler: Handler): this {
    return this.#act('runs', () => this.#handler(handler), forEver);
  }

  /** Has it answer the next call only. */
  runsOnce(handler: Handler): this {
    return this.#act('runsOnce', () => this.#handler(handler), once);
  }

  /** Has it answer the next calls, so many. */
  runsTimes(times: number, handler: Handler): this {
    return this.#act('runsTimes', () => this.#handler(handler), () => whole(times, 'times', 1));
  }

  /** Has the real command run; the journal has what it wrote, and with captureStdin() what it read. */
  passthrough(options?: Passing): this {
    return this.#act('passthrough', () => passAction(options, 'passthrough()'), forEver);
  }

  /** Has it run for the next call only. */
  passthroughOnce(options?: Passing): this {
    return this.#act('passthroughOnce', () => passAction(options, 'passthroughOnce()'), once);
  }

  /** Has it run for the next calls, so many. */
  passthroughTimes(times: number, options?: Passing): this {
    return this.#act('passthroughTimes', () => passAction(options, 'passthroughTimes()'), () => whole(times, 'times', 1));
  }

  // ---- How often, and in which order ------------------------------------------------------------------------------------

  #count(name: string, least: number, most: number | undefined): this {
    return this.#say(name, () => {
      if (this.kind !== 'mock') throw new BuilderError(`a ${this.kind} may be called any number of times; make it a mock to count its calls`);
      const minimum = BigInt(whole(least, 'the number of calls'));
      if (most === undefined) return { count: { minimum } };
      const maximum = BigInt(whole(most, 'the number of calls'));
      if (maximum < minimum) throw new BuilderError(`the least number of calls, ${least}, is above the greatest, ${most}`);
      return { count: { minimum, upper: { case: 'maximum', value: maximum } } };
    });
  }

  /** A mock must be called exactly so often; once when nothing is said. */
  times(n: number): this {
    return this.#count('times', n, n);
  }

  never(): this {
    return this.#count('never', 0, 0);
  }

  atLeast(n: number): this {
    return this.#count('atLeast', n, undefined);
  }

  atMost(n: number): this {
    return this.#count('atMost', 0, n);
  }

  between(least: number, most: number): this {
    return this.#count('between', least, most);
  }

  anyTimes(): this {
    return this.#count('anyTimes', 0, undefined);
  }

  /** A mock that must be called after those that said so before it. */
  inOrder(): this {
    return said('inOrder', () => this.takePlace(''));
  }

  /** The same in an order of this name, beside others. */
  inSequence(name: string): this {
    return said('inSequence', () => this.takePlace(name));
  }

  /** @internal The next place of a sequence. Places only grow, so that each order goes on where it ended. */
  takePlace(sequence: unknown): this {
    if (typeof sequence !== 'string') throw new BuilderError(`the name of the sequence is ${describe(sequence)}: give a string`);
    this.#control.update(this.id, { sequences: { append: true, steps: [{ sequence, position: this.mox.nextPosition() }] } });
    return this;
  }

  /** Takes a mock out of all sequences again. */
  anyOrder(): this {
    return this.#say('anyOrder', () => ({ sequences: {} }));
  }

  /** A mock that may be called only when the other double has had its least number of calls. */
  after(before: Double): this {
    return this.#say('after', () => {
      if (!(before instanceof Double)) throw new BuilderError(`the double before it is ${describe(before)}: give a double`);
      if (before.mox !== this.mox) throw new BuilderError('the doubles belong to two sessions');
      return { after: { append: true, doubleIds: [BigInt(before.id)] } };
    });
  }

  // ---- What calls there were ------------------------------------------------------------------------------------------

  /** The calls that it took, in order of start. */
  get invocations(): Invocation[] {
    return said('invocations', () => this.#control.invocations(this.id));
  }

  /** How many calls it took. */
  get callCount(): number {
    return said('callCount', () => this.#control.count(this.id));
  }

  #assert(name: string, assertion: CallAssertion, calls: readonly (readonly Argument[])[] = []): void {
    const [where, answer] = said(name, (its) => {
      if (!Array.isArray(calls)) throw new BuilderError(`the calls are ${describe(calls)}: give an array, with the array of arguments of each`);
      const patterns = calls.map((call) => {
        if (!Array.isArray(call)) throw new BuilderError(`a call is ${describe(call)}: give the array of its arguments`);
        const table = new Table(noPredicate);
        return { ...argumentsOf(table, call), matchers: table.nodes };
      });
      const request = { doubleId: BigInt(this.id), assertion, patterns };
      return [its, this.#control.ask('AssertCalls', AssertCallsRequestSchema, request, AssertCallsResponseSchema)] as const;
    });
    if (!answer.passed) throw outward(new VerificationError(`${where}: ${name}: ${answer.text}`));
  }

  /** At least once. */
  assertCalled(): void {
    this.#assert('assertCalled', CallAssertion.CALLED);
  }

  assertNotCalled(): void {
    this.#assert('assertNotCalled', CallAssertion.NOT_CALLED);
  }

  /** Exactly once. */
  assertCalledOnce(): void {
    this.#assertCount('assertCalledOnce', 1);
  }

  /** Exactly so often. */
  assertCallCount(n: number): void {
    this.#assertCount('assertCallCount', n);
  }

  #assertCount(name: string, n: number): void {
    const text = said(name, (where) => {
      const found = this.#control.count(this.id);
      if (found === whole(n, 'the number of calls')) return undefined;
      const shown = this.#control.invocations(this.id).slice(0, SHOWN);
      const more = found > shown.length ? `\n  and ${found - shown.length} more` : '';
      return `${where}: ${name}: ${this}: expected ${n} call${n === 1 ? '' : 's'}, actual ${found}${shown.map((each) => `\n  ${each.line}`).join('')}${more}`;
    });
    if (text !== undefined) throw outward(new VerificationError(text));
  }

  /** The last call had these arguments. */
  assertCalledWith(...args: Argument[]): void {
    this.#assert('assertCalledWith', CallAssertion.CALLED_WITH, [args]);
  }

  /** There was exactly one call, with these arguments. */
  assertCalledOnceWith(...args: Argument[]): void {
    this.#assertCount('assertCalledOnceWith', 1);
    this.#assert('assertCalledOnceWith', CallAssertion.CALLED_WITH, [args]);
  }

  /** One of the calls had these arguments. */
  assertAnyCall(...args: Argument[]): void {
    this.#assert('assertAnyCall', CallAssertion.ANY_CALL, [args]);
  }

  /** These calls, each the array of its arguments, one after the other and nothing between; or each of them, in any
   * order. */
  assertHasCalls(calls: readonly (readonly Argument[])[], options?: { anyOrder?: boolean }): void {
    const inAnyOrder = said('assertHasCalls', () => named(options, 'assertHasCalls()', 'anyOrder')).anyOrder ?? false;
    this.#assert('assertHasCalls', inAnyOrder ? CallAssertion.HAS_CALLS_IN_ANY_ORDER : CallAssertion.HAS_CALLS, calls);
  }
}

const forEver = (): number => 0;
const once = (): number => 1;

function variablesOf<T>(variables: T): T {
  if (typeof variables !== 'object' || variables === null || Array.isArray(variables)) throw new BuilderError(`${describe(variables)}: give an object of variables and values, or a name and a value`);
  return variables;
}

/** A patch that says arguments only. */
function argumentsOf(table: Table, args: readonly unknown[]): Patch {
  const items = args.map((arg, index) => {
    try {
      if (isValue(arg) && (typeof arg === 'string' ? arg.includes('\0') : arg.includes(0))) {
        throw new BuilderError(`${describe(arg)} has a NUL byte, which no argument of a command can have`);
      }
      return table.item(arg);
    } catch (error) {
      throw error instanceof CmdMoxError ? errorOf(error.reason, `argument ${index + 1}: ${error.message}`) : error;
    }
  });
  return { argv: { items } };
}

function noPredicate(): never {
  throw errorOf('INVALID_ARGUMENT', 'an assertion about calls takes no functions: look at `invocations`, and judge them yourself');
}
