// The adapter for vitest, seen from outside: which tests of vitest/ fail, and with which words.
import assert from 'node:assert/strict';
import test from 'node:test';

import { runVitest } from './runners.mjs';

const PASS = ['passes', 'finds the environment as it was', 'asks a handler', 'calls in a hook', 'does it', 'one', 'two', 'skips itself'];
const FAIL = ['is never called', 'fails by itself, too', 'forgets to verify'];

for (const pool of ['forks', 'threads']) { // processes; Workers
  const cases = runVitest('vitest', `--pool=${pool}`);
  const errorsOf = (name) => cases.tests.get(name)?.errors ?? assert.fail(`${name}: ${cases.stdout}${cases.stderr}`);

  test(`${pool}: the tests that fail are those that should`, () => {
    const failed = [...cases.tests].filter(([, { ok }]) => !ok).map(([name]) => name);
    assert.deepEqual(failed, FAIL, cases.stdout + cases.stderr);
    assert.deepEqual([...cases.tests.keys()].sort(), [...PASS, ...FAIL].sort());
    assert.equal(cases.status, 1);
  });

  test(`${pool}: the report is the failure, with the line of the source`, () => {
    const [error, ...more] = errorsOf('is never called');
    assert.match(error, /^VerificationError: cmdmox: verification failed: 1 problem\n+1\. never called: mock cmdmox-tested --long \(\S*cases\.test\.ts:31\)/);
    assert.deepEqual(more, []);
  });

  test(`${pool}: the error of the body comes first, and the report is the next`, () => {
    const [body, report] = errorsOf('fails by itself, too');
    assert.match(body, /^Error: of the body/);
    assert.match(report, /never called: mock cmdmox-tested --mine/);
  });

  test(`${pool}: what is forgotten by hand is told`, () => {
    assert.match(errorsOf('forgets to verify')[0], /has called replay\(\), and not verify\(\), which would have passed/);
  });
}
