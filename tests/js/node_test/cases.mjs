// Tests of which some fail: test_node_test.mjs runs them and looks at how.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';

import { cmdmox } from 'cmdmox/node-test';

const before = process.env.PATH;
const run = (command, ...args) => spawnSync(command, args, { encoding: 'utf8' });

test('passes', (t) => {
  const mox = cmdmox(t);
  mox.mock('cmdmox-tested').withArgs('--short').returns({ stdout: 'here\n' });
  assert.equal(run('cmdmox-tested', '--short').stdout, 'here\n');
});

test('finds the environment as it was', () => assert.equal(process.env.PATH, before));

test('is never called', (t) => {
  cmdmox(t).mock('cmdmox-tested').withArgs('--long');
});

test('fails by itself, too', (t) => {
  cmdmox(t).mock('cmdmox-tested').withArgs('--mine');
  assert.equal(1, 2, 'of the body');
});

test('fails by itself alone', async (t) => {
  cmdmox(t).stub('cmdmox-tested');
  await null;
  assert.equal(1, 2, 'of the body');
});

test('asks a handler', async (t) => {
  const mox = cmdmox(t);
  mox.mock('cmdmox-tested').runs((call) => `${call.args[0]}!\n`);
  assert.equal(run('cmdmox-tested', 'word').stdout, 'word!\n');
});

test('does it by hand', (t) => {
  const mox = cmdmox(t, { autoLifecycle: false });
  mox.mock('cmdmox-tested').times(2);
  mox.replay();
  run('cmdmox-tested');
  assert.throws(() => mox.verify(), /expected exactly 2 calls/);
});

test('forgets to verify', (t) => {
  const mox = cmdmox(t, { autoLifecycle: false });
  mox.stub('cmdmox-tested');
  mox.replay();
});

test('forgets to replay', (t) => {
  cmdmox(t, { autoLifecycle: false }).stub('cmdmox-tested');
});

test('asks nobody for the environment', (t) => {
  cmdmox(t, { environment: 'none' }).stub('true');
  assert.equal(spawnSync('true').status, 0);
});

test('has parts', { concurrency: true }, async (t) => {
  await Promise.all(['one', 'two'].map((name) => t.test(name, async (part) => {
    const mox = cmdmox(part, { environment: 'none' });
    mox.mock('cmdmox-tested').returns({ stdout: name });
    const done = spawnSync('/bin/sh', ['-c', 'cmdmox-tested'], { env: mox.environ, encoding: 'utf8' });
    assert.equal(done.stdout, name);
  })));
});

test('calls in a hook that it has before', (t) => {
  t.after(() => assert.equal(run('cmdmox-tested').status, 0));
  const mox = cmdmox(t);
  mox.mock('cmdmox-tested');
});

test('knows its options', (t) => {
  const message = /^\S*cases\.mjs:\d+: cmdmox: the session of a test has no contianed: did you mean contained\? it knows label, .*, autoLifecycle$/;
  assert.throws(() => cmdmox(t, { contianed: true }), { name: 'BuilderError', message });
});

test('is no context', () => {
  const message = /cases\.mjs:\d+: cmdmox\(\) takes the context of a test/;
  for (const other of [undefined, {}, { after() {}, diagnostic() {} }]) {
    assert.throws(() => cmdmox(other), { name: 'BuilderError', message });
  }
});
