// The package as it is built: one module behind both doors.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';

import * as imported from 'cmdmox';

test('import and require give the same objects', () => {
  const required = createRequire(import.meta.url)('cmdmox');
  const names = Object.keys(required).filter((name) => name !== '__esModule');
  assert.ok(names.length > 0);
  for (const name of names) {
    assert.equal(imported[name], required[name], name);
  }
});
