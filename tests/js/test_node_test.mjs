// The adapter for node:test, seen from outside: which tests of node_test/ fail, and with which words.
import assert from 'node:assert/strict';
import test from 'node:test';

import { runNode } from './runners.mjs';

const PASS = ['passes', 'finds the environment as it was', 'asks a handler', 'does it by hand', 'one', 'two', 'has parts',
  'calls in a hook that it has before', 'is no context', 'knows its options'];
const FAIL = ['is never called', 'fails by itself, too', 'fails by itself alone', 'forgets to verify', 'forgets to replay', 'asks nobody for the environment'];
const cases = runNode('node_test/cases.mjs');

function textOf(name) {
  assert.ok(cases.tests.has(name), `${name}: ${cases.stdout}${cases.stderr}`);
  return cases.tests.get(name).text;
}

test('the tests that fail are those that should', () => {
  const failed = [...cases.tests].filter(([, { ok }]) => !ok).map(([name]) => name);
  assert.deepEqual(failed, FAIL, cases.stdout + cases.stderr);
  assert.deepEqual([...cases.tests.keys()].sort(), [...PASS, ...FAIL].sort());
  assert.equal(cases.status, 1);
});

test('the report is the failure, with the place of what was expected', () => {
  assert.match(textOf('is never called'), /cmdmox: verification failed: 1 problem\n+1\. never called: mock cmdmox-tested --long \(\S*cases\.mjs:20\)/);
  for (const name of FAIL) assert.doesNotMatch(textOf(name), /package\/dist/); // the adapter's own lines say nothing
});

test('the error of the body comes first, and the report is told beside it', () => {
  const text = textOf('fails by itself, too');
  assert.match(text, /error: (\|-\n|')?of the body/);
  assert.match(text, /# cmdmox: verification failed: 1 problem\n(# *\n)?# 1\. never called: mock cmdmox-tested --mine/);
  assert.match(textOf('fails by itself alone'), /error: (\|-\n|')?of the body/);
  assert.doesNotMatch(textOf('fails by itself alone'), /cmdmox: /);
});

test('what is forgotten by hand is told', () => {
  assert.match(textOf('forgets to verify'), /has called replay\(\), and not verify\(\), which would have passed/);
  assert.match(textOf('forgets to replay'), /declared doubles, and never called replay\(\)/);
  assert.match(textOf('asks nobody for the environment'), /nobody asked for its environment: the commands were the real ones/);
});

test('a hook meets the shims until the test is over, and a late call fails the file', () => {
  const late = runNode('node_test/late.mjs');
  assert.deepEqual([...late.tests].map(([name, { ok }]) => [name, ok]), [['calls too late', true], ['has the real command again', true]], late.stdout);
  assert.match(late.stderr, /called after the test "calls too late" \(\S*late\.mjs:9\), when its session was verified already; they got status 125:\n {2}true\nIs there an await missing/);
  assert.equal(late.status, 1);
});

test('a test that skips itself is not judged', () => {
  const skipped = runNode('node_test/skipped.mjs');
  assert.match(skipped.stdout, /^ok 1 - skips itself # SKIP not here$/m);
  assert.equal(skipped.status, 0, skipped.stdout + skipped.stderr);
});
