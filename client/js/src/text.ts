// Between the bytes of commands and JavaScript's texts: UTF-8. What is no UTF-8 is given as bytes; of what is read each text
// has a twin with the bytes.
import { inspect } from 'node:util';

import { BuilderError } from './errors.js';

/** A text, whose UTF-8 is meant, or bytes. */
export type Value = string | Uint8Array;

const MS_MOST = 2 ** 32 - 1;

export function isValue(value: unknown): value is Value {
  return typeof value === 'string' || value instanceof Uint8Array;
}

/** The bytes of a text, or of bytes. */
export function encode(value: unknown, what: string): Buffer {
  if (typeof value === 'string') {
    if (/\p{Surrogate}/u.test(value)) {
      throw new BuilderError(`${what}: ${describe(value)} has half of a surrogate pair, which no UTF-8 stands for; give the bytes`);
    }
    return Buffer.from(value);
  }
  if (value instanceof Uint8Array) return Buffer.from(value);
  throw new BuilderError(`${what} is ${describe(value)}: give a string, or bytes (a Buffer or Uint8Array)`);
}

export function decode(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8');
}

/** Bytes of a message, as users have them. */
export function buffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** A value for a message: its type, and the beginning of what it is; also of one that resists. */
export function describe(value: unknown): string {
  try {
    return shownAs(value);
  } catch {
    return `${typeof value} that cannot be shown`; // code of the test's is part of showing it
  }
}

function shownAs(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  const shown = inspect(value, { depth: 1, breakLength: Infinity });
  const kind = typeof value === 'object' ? value.constructor?.name ?? 'object' : typeof value;
  const text = shown.startsWith(kind) || typeof value === 'function' ? shown : `${kind} ${shown}`;
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

/** A number of ms; what is above 0 is at least 1. */
export function ms(value: unknown, what: string): number {
  if (typeof value !== 'number') throw new BuilderError(`${what} is ${describe(value)}: give a number of ms`);
  if (!(value >= 0 && value <= MS_MOST)) throw new BuilderError(`${what} is ${value}: give ms from 0 to ${MS_MOST}`);
  return value > 0 ? Math.max(Math.round(value), 1) : 0;
}

export function whole(value: unknown, what: string, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw new BuilderError(`${what} is ${describe(value)}: give a whole number`);
  if (value < least || value > most) {
    throw new BuilderError(`${what} is ${value}, not ${most < Number.MAX_SAFE_INTEGER ? `${least} to ${most}` : `${least} or more`}`);
  }
  return value;
}

/** A text for people: what a proto string can hold. */
export function utf8(text: unknown, what: string): string {
  if (typeof text !== 'string') throw new BuilderError(`${what} is ${describe(text)}: give a string`);
  return printable(text);
}

export function printable(text: string): string {
  return Buffer.from(text).toString('utf8').replaceAll('\0', '?');
}

export function flag(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw new BuilderError(`${what} is ${describe(value)}: give true or false`);
  return value;
}

/** What PATH can hold. */
export function folders(value: unknown): string {
  if (typeof value !== 'string') throw new BuilderError(`path is ${describe(value)}: give folders with : between them`);
  if (encode(value, 'path').includes(0)) throw new BuilderError(`path is ${describe(value)}, with a NUL byte: no variable can hold one`);
  return value;
}

/** An object of named options, all of which are known. */
export function named<T extends object>(value: T | undefined, what: string, ...names: (keyof T & string)[]): Partial<T> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BuilderError(`${what} is ${describe(value)}: give an object with ${names.join(', ')}`);
  }
  for (const name of Object.keys(value)) {
    if ((names as string[]).includes(name)) continue;
    const near = names.find((known) => isNear(name.toLowerCase(), known.toLowerCase()));
    throw new BuilderError(`${what} has no ${name}: ${near === undefined ? '' : `did you mean ${near}? `}it knows ${names.join(', ')}`);
  }
  return value;
}

/** Whether one is the other with a letter too many, too few or another one, or with two neighbours swapped; or its beginning. */
function isNear(one: string, other: string): boolean {
  if (one.length > 2 && (other.startsWith(one) || one.startsWith(other))) return true;
  let same = 0;
  while (same < one.length && one[same] === other[same]) same++;
  const [a, b] = [one.slice(same), other.slice(same)];
  const swapped = a.length > 1 && a.charAt(1) + a.charAt(0) + a.slice(2) === b;
  return swapped || a.slice(1) === b || a === b.slice(1) || a.slice(1) === b.slice(1);
}
