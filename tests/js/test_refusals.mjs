// What cannot be is refused with words, and by an error of this package.
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';

import { CmdMox, CmdMoxError, predicate } from 'cmdmox';

import { HERE, place, ran, thrown, withSession } from './support.mjs';

const CASES = {
  'connect that is a number': [() => new CmdMox({ connect: 3 }), 'connect is number 3: write unix:/path/to/socket'],
  'connect below a file': [() => new CmdMox({ connect: 'unix:/etc/passwd/s' }), 'no server at /etc/passwd/s'],
  'program that is a number': [() => new CmdMox({ program: 3 }), 'program is number 3: give the path of the cmdmox program'],
  'program with NUL': [() => new CmdMox({ program: 'a\0b' }), 'which is no file: give the path of the cmdmox program'],
  'path with NUL': [() => new CmdMox({ path: 'a\0b' }), 'with a NUL byte: no variable can hold one'],
  'path with half a pair': [() => new CmdMox({ path: '/\ud800' }), 'has half of a surrogate pair'],
  'path that is null': [() => new CmdMox({ path: null }), 'path is null: give folders with : between them'],
  'contained that is a text': [() => new CmdMox({ contained: 'false' }), "contained is string 'false': give true or false"],
  'options of predicate() that are null': [() => predicate(() => true, null), 'predicate() is null: give an object with name, asBytes'],
  'an argument with NUL': [(mox) => mox.stub('git').withArgs('x', 'a\0b'), 'argument 2: string \'a\\x00b\' has a NUL byte'],
  'an argument of bytes with NUL': [(mox) => mox.stub('git').withArgs(Buffer.from([0])), 'argument 1: Buffer '],
  'variables in an array': [(mox) => mox.stub('git').withEnv(['a']), 'give an object of variables and values, or a name and a value'],
  'release() of no gate': [(mox) => mox.release(), 'there is no gate: give its name'],
};
for (const [name, [doIt, text]] of Object.entries(CASES)) {
  test(name, () => withSession((mox) => {
    const error = thrown(() => doIt(mox), CmdMoxError);
    assert.ok(error.message.includes(text), error.message);
  }, { environment: 'none' }));
}

for (const [name, text] of Object.entries({
  'stacks that are no texts': 'Error.prepareStackTrace = (error, sites) => sites;',
  'a way with stacks that throws': 'Error.prepareStackTrace = () => { throw new RangeError("mine"); };',
  'a frozen Error': 'Object.freeze(Error);',
})) {
  test(`${name}: sessions are made, and errors are theirs`, async () => {
    const done = await ran(`
import { CmdMox, CmdMoxError } from 'cmdmox';
${text}
const mox = new CmdMox({ environment: 'none' });
try { mox.mock('a/b'); } catch (error) { console.log(error instanceof CmdMoxError); }
mox.close();
`);
    assert.deepEqual(done, { status: 0, out: 'true\n', err: '' });
  });
}

test('a second copy of the package', () => withSession(() => {
  const second = path.join(place, 'second/node_modules/cmdmox');
  cpSync(path.join(HERE, '../../package'), second, { recursive: true });
  const other = createRequire(path.join(place, 'second/x.cjs'))('cmdmox');
  const error = thrown(() => new other.CmdMox(), other.CmdMoxError);
  assert.ok(error.message.includes(`${path.join(second, 'dist')}: they would not see each other's sessions`), error.message);
  assert.match(error.message, /two copies of this package are used in one process, \S+dist and /);
}));
