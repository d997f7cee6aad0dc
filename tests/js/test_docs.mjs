// The examples of the documentation run, as they stand: each block of JavaScript or TypeScript is a file of its own.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { after } from 'node:test';

import { HERE, runNode, runVitest } from './runners.mjs';

const SOURCE = process.env.CMDMOX_SOURCE;
const TREE = path.dirname(path.dirname(HERE));
const PAGES = { 'README.md': 1, 'client/js/README.md': 3, 'docs/javascript.md': 8 };
const QUICK_START_MOST = 20;
const place = mkdtempSync(path.join(HERE, 'docs-')); // below the tree, where 'cmdmox' is found
after(() => rmSync(place, { recursive: true }));
mkdirSync(path.join(place, 'vitest'));

const textOf = (page) => readFileSync(path.join(SOURCE, page), 'utf8');
const blocks = Object.keys(PAGES).flatMap((page) => [...textOf(page).matchAll(/^```(js|ts)\n(.*?)^```$/gms)].map(([, language, code], index) => ({
  page, language, code, name: `${page.replaceAll(/\W/g, '_')}_${index + 1}`,
})));
const [ofVitest, others] = [true, false].map((wanted) => blocks.filter(({ code }) => code.includes("from 'vitest'") === wanted));

test('there are examples of each page', () => {
  assert.deepEqual(Object.fromEntries(Object.keys(PAGES).map((page) => [page, blocks.filter((block) => block.page === page).length])), PAGES);
});

test('the quick starts are short', () => {
  for (const { page, code } of blocks) {
    if (page.endsWith('README.md')) assert.ok(code.trimEnd().split('\n').length < QUICK_START_MOST, code);
  }
});

for (const { name, code } of others.filter(({ language }) => language === 'js')) {
  test(name, () => {
    const file = path.join(place, `${name}.mjs`);
    writeFileSync(file, code);
    const done = runNode(file);
    assert.equal(done.status, 0, `${code}\n${done.stdout}${done.stderr}`);
  });
}

test('those in TypeScript compile, and run', () => {
  const typed = others.filter(({ language }) => language === 'ts');
  for (const { name, code } of typed) writeFileSync(path.join(place, `${name}.mts`), code);
  const compilerOptions = { target: 'ES2022', module: 'Node16', lib: ['ES2022', 'ESNext.Disposable'], types: ['node'], strict: true, skipLibCheck: false };
  writeFileSync(path.join(place, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.mts'] }));
  const compiled = spawnSync(process.execPath, [path.join(TREE, 'node_modules/typescript/bin/tsc'), '-p', place], { encoding: 'utf8' });
  assert.equal(compiled.status, 0, compiled.stdout);
  for (const { name } of typed) {
    const done = runNode(path.join(place, `${name}.mjs`));
    assert.equal(done.status, 0, done.stdout + done.stderr);
    assert.equal(done.stdout, 'v1.4.0\n\n');
  }
});

test('those of vitest run', () => {
  for (const { name, code } of ofVitest) writeFileSync(path.join(place, 'vitest', `${name}.test.mjs`), code);
  const done = runVitest(path.relative(HERE, path.join(place, 'vitest')));
  assert.equal(done.status, 0, done.stdout + done.stderr);
  assert.equal(JSON.parse(done.stdout).numPassedTestSuites >= ofVitest.length, true);
});

test('what is shown of a failure is what is reported', () => {
  const page = textOf('docs/javascript.md');
  const code = /^```js\n(.*?)^```$/ms.exec(page)[1].replace("['--short']", "['-s']").replace('execFileSync(', 'spawnSync(').replace('execFileSync }', 'spawnSync }')
    .replace('.trim()', '.stdout');
  const file = path.join(place, 'greets.mjs');
  writeFileSync(file, code.replace('assert.equal(greeting()', 'void (greeting()'));
  const done = runNode(file);
  const shown = /^```text\n(.*?)^```$/ms.exec(page)[1];
  const said = done.stdout.split('\n').map((line) => line.replace(/^ {4}/, '')).join('\n');
  assert.ok(said.replaceAll(/[^\s(]*greets\.mjs/g, 'greets.mjs').includes(shown), done.stdout);
});
