// A test that skips itself when it has declared doubles already.
import test from 'node:test';

import { cmdmox } from 'cmdmox/node-test';

test('skips itself', (t) => {
  cmdmox(t).mock('cmdmox-tested');
  t.skip('not here');
});
