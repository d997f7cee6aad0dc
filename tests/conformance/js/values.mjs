// The values of a scenario: bytes, and what is expected of them. tests/conformance/README.md has the format.

export const DIALECT = 'javascript';

/** Something is not as the scenario says. */
export class Mismatch extends Error {}

export function require(condition, text) {
  if (!condition) throw new Mismatch(typeof text === 'function' ? text() : text);
}

export function bytesOf(value) {
  if (typeof value === 'string') return Buffer.from(value);
  if ('base64' in value) return Buffer.from(value.base64, 'base64');
  return Buffer.from(value.repeat.repeat(value.times));
}

export function listOf(values) {
  return values.flatMap((value) => (value.copies === undefined ? [bytesOf(value)] : Array(value.copies).fill(bytesOf(value.of))));
}

/** As a test gives it: a text where there is one, else the bytes. */
export function valueOf(value) {
  return textOrBytes(bytesOf(value));
}

export function valuesOf(values) {
  return listOf(values).map(textOrBytes);
}

export function isText(bytes) {
  return Buffer.from(bytes.toString('utf8')).equals(bytes);
}

function textOrBytes(bytes) {
  return isText(bytes) ? bytes.toString('utf8') : bytes;
}

/** A text of cmdmox without the places of the test. */
export function told(bytes) {
  return Buffer.from(Buffer.from(bytes).toString('latin1').replace(/ \([^() ]*:[0-9]+\)/g, ''), 'latin1');
}

export function shown(bytes) {
  return bytes.subarray(0, 4000).toString('utf8');
}

function line(value) {
  return bytesOf(typeof value === 'object' && DIALECT in value ? value[DIALECT] : value);
}

/** Compares bytes with what is expected of them. */
export function expect(what, expected, actual) {
  if (expected.any) return;
  if (expected.contains || expected.lacks) {
    for (const part of (expected.contains ?? []).map(line)) require(actual.includes(part), () => `${what} lacks ${shown(part)}; it is\n${shown(actual)}`);
    for (const part of (expected.lacks ?? []).map(line)) require(!actual.includes(part), () => `${what} has ${shown(part)}; it is\n${shown(actual)}`);
    return;
  }
  const wanted = Array.isArray(expected) ? Buffer.concat(expected.flatMap((each) => [line(each), Buffer.from('\n')])) : bytesOf(expected);
  require(wanted.equals(actual), () => `${what}: expected\n${shown(wanted)}\nactual\n${shown(actual)}`);
}
