// Tests of which some fail: test_vitest.mjs runs them and looks at how.
import { spawnSync } from 'node:child_process';

import { afterEach, describe, expect } from 'vitest';
import { test, testWith } from 'cmdmox/vitest';

interface OfTypes { // which vitest takes away, so that lines move
  one: string;
  two: string;
}

const before = process.env.PATH;
const run = (command: string, ...args: string[]) => spawnSync(command, args, { encoding: 'utf8' });
let teardown: () => void = () => undefined;

afterEach(() => {
  teardown();
  teardown = () => undefined;
});

test('passes', ({ cmdmox }) => {
  cmdmox.mock('cmdmox-tested').withArgs('--short').returns({ stdout: 'here\n' });
  expect(run('cmdmox-tested', '--short').stdout).toBe('here\n');
});

test('finds the environment as it was', () => {
  expect(process.env.PATH).toBe(before);
});

test('is never called', ({ cmdmox }) => {
  cmdmox.mock('cmdmox-tested').withArgs('--long');
});

test('fails by itself, too', ({ cmdmox }) => {
  cmdmox.mock('cmdmox-tested').withArgs('--mine');
  const wrong: OfTypes = { one: 'of the body', two: '' };
  throw new Error(wrong.one);
});

test('asks a handler', ({ cmdmox }) => {
  cmdmox.mock('cmdmox-tested').runs((call) => `${call.args[0]}!\n`);
  expect(run('cmdmox-tested', 'word').stdout).toBe('word!\n');
});

test('calls in a hook', ({ cmdmox }) => {
  cmdmox.mock('cmdmox-tested');
  teardown = () => expect(run('cmdmox-tested').status).toBe(0);
});

test('skips itself', ({ cmdmox, skip }) => {
  cmdmox.mock('cmdmox-tested');
  skip();
});

describe('by hand', () => {
  const byHand = testWith({ autoLifecycle: false });

  byHand('does it', ({ cmdmox }) => {
    cmdmox.mock('cmdmox-tested').times(2);
    cmdmox.replay();
    run('cmdmox-tested');
    expect(() => cmdmox.verify()).toThrow(/expected exactly 2 calls/);
  });

  byHand('forgets to verify', ({ cmdmox }) => {
    cmdmox.stub('cmdmox-tested');
    cmdmox.replay();
  });
});

describe.concurrent('beside each other', () => {
  const own = testWith({ environment: 'none' });

  for (const name of ['one', 'two']) {
    own(name, async ({ cmdmox }) => {
      cmdmox.mock('cmdmox-tested').returns({ stdout: name });
      const done = spawnSync('/bin/sh', ['-c', 'cmdmox-tested'], { env: cmdmox.environ, encoding: 'utf8' });
      expect(done.stdout).toBe(name);
    });
  }
});
