// What a value of a call may be: an argument, stdin, a variable, the working directory.
//
// Where a matcher may stand, a text or bytes mean equality, a RegExp what it finds, and a function of the test's what it
// accepts.
import { create, type MessageInitShape } from '@bufbuild/protobuf';

import { BuilderError, errorOf } from './errors.js';
import { caller } from './location.js';
import { named, describe, encode, isValue, printable, utf8, type Value } from './text.js';
import { ArgvItemSchema, MatcherNodeSchema, ValueType, type ArgvItem, type MatcherNode } from './v1/matcher_pb.js';

const NESTING_MOST = 64;

type Node = MessageInitShape<typeof MatcherNodeSchema>['test'];
type Item = MessageInitShape<typeof ArgvItemSchema>['kind'];

/** Takes the text of a value; what it returns is taken for true or false. */
export type TextPredicate = (text: string) => unknown;
/** The same with the bytes. */
export type BytesPredicate = (bytes: Buffer) => unknown;

/** One value, judged. Made by the functions of this module. */
export abstract class Matcher {
  /** @internal */
  abstract node(table: Table, depth: number): Node;

  /** @internal For people. */
  callbackName(): string {
    return '';
  }
}

/** Several arguments, judged together: in the list of withArgs() only. */
export abstract class ListMatcher {
  /** @internal */
  abstract item(table: Table): Item;
}

/** What may stand for one value. */
export type Matching = Matcher | Value | RegExp | TextPredicate;
/** What may stand in a list of arguments. */
export type Argument = Matching | ListMatcher;

/** The matchers of one message; they refer to each other by their numbers in it. */
export class Table {
  readonly nodes: MatcherNode[] = [];

  constructor(readonly addPredicate: (predicate: PredicateMatcher) => number) {}

  /** The number of a matcher, of which children have lower ones. */
  add(said: unknown, depth = 0): number {
    if (depth > NESTING_MOST) throw errorOf('BAD_MATCHER', `matchers are nested more than ${NESTING_MOST} deep`);
    const one = matcherOf(said);
    const test = one.node(this, depth);
    this.nodes.push(create(MatcherNodeSchema, { test: test as NonNullable<Node>, callbackName: one.callbackName() }));
    return this.nodes.length - 1;
  }

  addAll(said: readonly unknown[], depth: number): { indexes: number[] } {
    return { indexes: said.map((each) => this.add(each, depth)) };
  }

  item(said: unknown): ArgvItem {
    const kind: Item = said instanceof ListMatcher ? said.item(this) : { case: 'one', value: this.add(said) };
    return create(ArgvItemSchema, { kind: kind as NonNullable<Item> });
  }
}

/** What stands where a matcher may stand, as one. */
function matcherOf(said: unknown): Matcher {
  if (said instanceof Matcher) return said;
  if (isValue(said)) return eq(said);
  if (said instanceof RegExp) return regex(said);
  if (said instanceof ListMatcher) {
    throw errorOf('BAD_MATCHER', 'rest(), anyOrder(), argsContain() and flag() stand only in the list of withArgs(), not inside another '
      + 'matcher and not for one value; give one matcher for each argument there');
  }
  if (typeof said === 'function') {
    if (FACTORIES.has(said)) throw errorOf('BAD_MATCHER', `${said.name} is a function of this package that makes a matcher: write ${said.name}()`);
    return predicate(said as TextPredicate);
  }
  if (Array.isArray(said)) throw errorOf('BAD_MATCHER', `${describe(said)} is no matcher: give its items one by one, as in withArgs(...list)`);
  throw errorOf('BAD_MATCHER', `${describe(said)} is no matcher: give a string, bytes, a RegExp, a matcher, or a function that takes the text`);
}

/** How reports call a function of the test's. */
export function nameOf(callback: (...args: never[]) => unknown): string {
  const given: unknown = callback.name; // a static member of that name may be anything
  const name = typeof given === 'string' ? given.replace(/^bound /, '') : '';
  return name ? printable(name) : `function at ${caller()}`;
}

// ---- One value -----------------------------------------------------------------------------------------------------

class OfBytes extends Matcher {
  private readonly bytes: Buffer;

  constructor(private readonly kind: 'equals' | 'startsWith' | 'endsWith' | 'contains' | 'regex' | 'glob' | 'jsonEquals', value: unknown, name: string) {
    super();
    this.bytes = encode(value, name);
  }

  node(): Node {
    return { case: this.kind, value: this.bytes };
  }
}

class Anything extends Matcher {
  node(): Node {
    return { case: 'any', value: true };
  }
}

class OfOthers extends Matcher {
  constructor(private readonly kind: 'allOf' | 'anyOf', private readonly matchers: readonly unknown[]) {
    super();
  }

  node(table: Table, depth: number): Node {
    return { case: this.kind, value: table.addAll(this.matchers, depth + 1) };
  }
}

class Negation extends Matcher {
  constructor(private readonly matcher: unknown) {
    super();
  }

  node(table: Table, depth: number): Node {
    return { case: 'not', value: table.add(this.matcher, depth + 1) };
  }
}

class Typed extends Matcher {
  constructor(private readonly type: ValueType) {
    super();
  }

  node(): Node {
    return { case: 'isA', value: this.type };
  }
}

/** @internal What a function of the test's accepts. */
export class PredicateMatcher extends Matcher {
  readonly name: string;

  constructor(readonly judge: (value: never) => unknown, readonly asBytes: boolean, name: string) {
    super();
    if (typeof judge !== 'function') throw errorOf('BAD_MATCHER', `predicate() of ${describe(judge)}: give a function`);
    this.name = utf8(name, 'name') || nameOf(judge);
  }

  node(table: Table): Node {
    return { case: 'callback', value: BigInt(table.addPredicate(this)) };
  }

  override callbackName(): string {
    return this.name;
  }
}

class Missing extends Matcher {
  node(): Node {
    throw errorOf('BAD_MATCHER', 'unset() is for variables: withMatchingEnv("NAME", unset())');
  }
}

/** Exactly this. */
export function eq(value: Value): Matcher {
  return new OfBytes('equals', value, 'eq()');
}

/** Anything. */
export function any(): Matcher {
  return new Anything();
}

export function startsWith(prefix: Value): Matcher {
  return new OfBytes('startsWith', prefix, 'startsWith()');
}

export function endsWith(suffix: Value): Matcher {
  return new OfBytes('endsWith', suffix, 'endsWith()');
}

export function contains(part: Value): Matcher {
  return new OfBytes('contains', part, 'contains()');
}

/** A regular expression, found anywhere in the bytes: write ^ and $ for the whole value. A text is one of PCRE2; of a
 * RegExp the flags i, m and s count, and what PCRE2 would read otherwise is refused. */
export function regex(pattern: RegExp | Value): Matcher {
  return new OfBytes('regex', pattern instanceof RegExp ? pcre(pattern) : pattern, 'regex()');
}

/** The whole value: * any bytes, ? one byte, [a-z] [!a-z] one of a set; a backslash takes the next as it is. */
export function glob(pattern: Value): Matcher {
  return new OfBytes('glob', pattern, 'glob()');
}

const TYPES = new Map<unknown, ValueType>([
  ['int', ValueType.INT], ['float', ValueType.FLOAT], ['bool', ValueType.BOOL], ['path', ValueType.PATH], ['json', ValueType.JSON],
]);

/** A text that stands for an "int", a "float", a "bool" (true false yes no on off 1 0), a "path" (not empty), or "json". */
export function isA(kind: 'int' | 'float' | 'bool' | 'path' | 'json'): Matcher {
  const type = TYPES.get(kind);
  if (type === undefined) throw errorOf('BAD_MATCHER', `isA() does not know ${describe(kind)}: give "int", "float", "bool", "path" or "json"`);
  return new Typed(type);
}

/** The same JSON document, given as its text, or as what JSON.stringify() takes. */
export function jsonEquals(document: unknown): Matcher {
  let text: unknown = document;
  if (!isValue(document)) {
    try {
      text = JSON.stringify(document);
    } catch (error) {
      throw errorOf('BAD_MATCHER', `jsonEquals(): ${(error as Error).message}`);
    }
    if (text === undefined) throw errorOf('BAD_MATCHER', `jsonEquals(): ${describe(document)} has no JSON`);
  }
  return new OfBytes('jsonEquals', text, 'jsonEquals()');
}

/** Each of them accepts it. */
export function allOf(...matchers: Matching[]): Matcher {
  return new OfOthers('allOf', matchers);
}

/** One of them accepts it. */
export function anyOf(...matchers: Matching[]): Matcher {
  return new OfOthers('anyOf', matchers);
}

/** One of these texts. */
export function oneOf(...texts: Value[]): Matcher {
  return new OfOthers('anyOf', texts.map((each) => encode(each, 'oneOf()')));
}

/** It does not accept it. */
export function not(matcher: Matching): Matcher {
  return new Negation(matcher);
}

/** What a function of the test's accepts: it gets the text, or with asBytes the bytes, and what it returns is taken for
 * true or false. It is called while the code under test waits, once for a value in a call, perhaps for a double that does
 * not take the call in the end: it must do nothing but judge. Reports call it by `name`. */
export function predicate(judge: TextPredicate, options?: { name?: string; asBytes?: false }): Matcher;
export function predicate(judge: BytesPredicate, options: { name?: string; asBytes: true }): Matcher;
export function predicate(judge: (value: never) => unknown, options?: { name?: string; asBytes?: boolean }): Matcher {
  const { asBytes = false, name = '' } = named(options, 'predicate()', 'name', 'asBytes');
  return new PredicateMatcher(judge, asBytes, name);
}

/** The variable is not there: withMatchingEnv("NAME", unset()). */
export function unset(): Matcher {
  return new Missing();
}

export function isUnset(said: unknown): boolean {
  return said instanceof Missing;
}

// ---- Several arguments ----------------------------------------------------------------------------------------------

class Several extends ListMatcher {
  constructor(readonly item: (table: Table) => Item) {
    super();
  }
}

/** All arguments that are left, none to many, each accepted by the matcher; last in the list. */
export function rest(matcher: Matching): ListMatcher {
  return new Several((table) => ({ case: 'rest', value: table.add(matcher) }));
}

/** As many arguments as matchers, next to each other, in any order; at most 64. */
export function anyOrder(...matchers: Matching[]): ListMatcher {
  return new Several((table) => ({ case: 'anyOrder', value: table.addAll(matchers, 0) }));
}

/** All arguments that are left: each matcher accepts another one of them, in any order, and others may stand among them;
 * last in the list, at most 64. */
export function argsContain(...matchers: Matching[]): ListMatcher {
  return new Several((table) => ({ case: 'contains', value: table.addAll(matchers, 0) }));
}

/** "--name value" or "--name=value". */
export function flag(name: Value, value: Matching): ListMatcher {
  return new Several((table) => ({ case: 'flag', value: { name: encode(name, 'name of flag()'), value: table.add(value) } }));
}

const FACTORIES = new Set<unknown>([eq, any, startsWith, endsWith, contains, regex, glob, isA, jsonEquals, allOf, anyOf, oneOf, not,
  predicate, unset, rest, anyOrder, argsContain, flag]);

// ---- Expressions of JavaScript ---------------------------------------------------------------------------------------

/** The text of PCRE2 that means the same, or a word about what would not. */
function pcre(pattern: RegExp): string {
  const refuse = (what: string): never => {
    throw errorOf('BAD_MATCHER', `${describe(pattern)} has ${what}, which the engine reads otherwise: give the text of an expression of `
      + 'PCRE2, or a function, (text) => expression.test(text)');
  };
  if (/[vy]/.test(pattern.flags)) refuse(`the flag ${/[vy]/.exec(pattern.flags)?.[0]}`);
  let out = '';
  let inClass = false;
  for (const [part] of pattern.source.matchAll(/\\u\{?|\\[pP]\{|\\c.|\\k<|\\[^]|\[\^?\]?|[^]/g)) {
    if (/^\\[upP]/.test(part)) refuse(part);
    if (inClass) {
      if (part === ']') inClass = false;
      out += part.startsWith('[') ? `\\${part}` : part;
      if (part.startsWith('[') && part.endsWith(']')) inClass = false;
    } else if (part === '[]' || part === '[^]') {
      out += part === '[]' ? '(?!)' : '[\\s\\S]'; // nothing, and anything
    } else {
      inClass = part.startsWith('[');
      out += part === '$' && !pattern.multiline ? '\\z' : part; // $ of PCRE2 is also in front of a last newline
    }
  }
  const letters = ['i', 'm', 's'].filter((each) => pattern.flags.includes(each)).join('');
  return letters ? `(?${letters})${out}` : out;
}

// ---- Variables ----------------------------------------------------------------------------------------------------------

export function variableName(name: unknown): Buffer {
  const data = isValue(name) ? encode(name, 'name of the variable') : Buffer.alloc(0);
  if (data.length === 0 || data.includes(0x3d) || data.includes(0)) {
    throw new BuilderError(`${describe(name)} is no name of a variable: it is a text, not empty, without '=' and NUL`);
  }
  return data;
}
