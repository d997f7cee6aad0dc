// Runs a file of tests in a process of its own, as users do.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const HERE = path.dirname(fileURLToPath(import.meta.url));
const TREE = path.dirname(path.dirname(HERE));
const HANG = 120_000;

function run(args, env = {}) {
  const { NODE_TEST_CONTEXT: _, ...own } = process.env; // else it would report to the runner of this test
  const done = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: HANG, cwd: HERE, env: { ...own, ...env } });
  if (done.error) throw done.error;
  return done;
}

/** By node:test: `tests` has, for each name, whether it is ok and all that is said of it. */
export function runNode(file) {
  const done = run(['--test-reporter=tap', file]);
  const tests = new Map();
  let name;
  for (const line of done.stdout.split('\n')) {
    const [, indent, not, found] = /^( *)(not )?ok \d+ - (.*)$/.exec(line) ?? [];
    if (indent !== undefined) {
      name = found;
      tests.set(name, { ok: not === undefined, text: '' });
    } else if (name !== undefined) {
      tests.get(name).text += `${line.trimStart()}\n`;
    }
  }
  return { ...done, tests };
}

/** By vitest: `tests` has, for each name, whether it passed, or was skipped, and its errors. */
export function runVitest(folder, ...options) {
  const vitest = path.join(TREE, 'node_modules/vitest/vitest.mjs');
  const done = run([vitest, 'run', '--root', path.join(HERE, folder), '--reporter=json', ...options], { NO_COLOR: '1' });
  const tests = new Map();
  const start = done.stdout.indexOf('{');
  if (start < 0) throw new Error(`vitest said nothing of its tests: ${done.stdout}${done.stderr}`);
  for (const file of JSON.parse(done.stdout.slice(start)).testResults) {
    if (file.message) tests.set(file.name, { ok: file.status === 'passed', errors: [file.message] });
    for (const each of file.assertionResults) tests.set(each.title, { ok: each.status !== 'failed', errors: each.failureMessages });
  }
  return { ...done, tests };
}
