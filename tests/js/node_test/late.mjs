// A hook that calls a mocked command when its session is verified already.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';

import { cmdmox } from 'cmdmox/node-test';

test('calls too late', (t) => {
  cmdmox(t).stub('true'); // there is a real one, which must not run
  t.after(() => assert.equal(spawnSync('true').status, 125));
});

test('has the real command again', () => assert.equal(spawnSync('true').status, 0));
