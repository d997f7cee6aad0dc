// The adapter for node:test: a session for a test, which is verified when the test has run.
//
//     test('releases', (t) => {
//       const mox = cmdmox(t);
//       mox.mock('git').withArgs('describe', '--tags').returns({ stdout: 'v1.4.0\n' });
//       assert.equal(releaseVersion(), 'v1.4.0');
//     });
import type { TestContext } from 'node:test';

import { BuilderError, type CmdMox } from './index.js';
import { type AdapterOptions, Held } from './held.js';
import { caller, said } from './location.js';

export type { AdapterOptions } from './held.js';

// What newer versions of Node tell of a test: whether its body has failed.
type Told = TestContext & { readonly error?: unknown };

/**
 * A session for this test: it has replayed, so that doubles answer from where they are declared, and is verified after the
 * test's body, before the hooks that the body registers after it. What is wrong fails the test; if the body has failed,
 * that is the failure, and the report is a diagnostic of the test. A test that skips itself is not judged. The shims stay
 * until all hooks have run.
 */
export function cmdmox(t: TestContext, options: AdapterOptions = {}): CmdMox {
  return said('cmdmox', (where) => {
    if (typeof t?.after !== 'function' || typeof t.diagnostic !== 'function' || !(t.signal instanceof AbortSignal)) {
      throw new BuilderError('cmdmox() takes the context of a test: test("...", (t) => { const mox = cmdmox(t); ... })');
    }
    const held = new Held(options, t.name, where);
    const skip = t.skip.bind(t); // no context tells whether its test was skipped
    t.skip = (message) => {
      held.skipped = true;
      skip(message);
    };
    t.after(() => afterBody(t, held));
    return held.mox;
  }, caller());
}

function afterBody(t: Told, held: Held): void {
  const error = held.judge();
  // node:test aborts the signal of a test when all of its hooks have run, or when its time is up.
  if (t.signal.aborted) end(held);
  else t.signal.addEventListener('abort', () => end(held), { once: true });
  if (error === undefined) return;
  const bodyPassed = 'error' in t && (t.error === null || t.error === undefined);
  if (!bodyPassed) {
    for (const line of error.message.trimEnd().split('\n')) t.diagnostic(line);
  }
  throw error;
}

function end(held: Held): void {
  const late = held.end();
  if (late === undefined) return;
  // The test is told already: what is left is to fail the file.
  process.stderr.write(`${late}\n`);
  process.exitCode = 1;
}
