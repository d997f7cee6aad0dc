// Runs the scenarios of tests/conformance through the JavaScript package:
//
//   CMDMOX_PROGRAM=build/dev/bin/cmdmox node build/dev/js/tests/conformance/js/run_js.mjs tests/conformance/scenarios [NAME...]
//
// --sync has commands run by spawnSync(), in which handlers have no event loop. The scenarios of a file share a process, in
// which each has its own session, working directory and programs; one that hangs, or ends it, fails, and the next one gets a
// new process.
import { fork } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { NOT_IN_SYNC, PROVIDED, Stage } from './stage.mjs';
import { Mismatch } from './values.mjs';

const GUARD = 240_000; // ms until a scenario counts as hanging

// ---- In a process that runs scenarios

async function perform(scenario, place, options) {
  for (const folder of ['work', 'programs']) mkdirSync(path.join(place, folder), { recursive: true });
  for (const [name, text] of Object.entries(scenario.programs ?? {})) {
    writeFileSync(path.join(place, 'programs', name), text);
    chmodSync(path.join(place, 'programs', name), 0o755);
  }
  const before = process.env.PATH;
  if (scenario.programs) process.env.PATH = `${place}/programs:${before}`;
  process.chdir(path.join(place, 'work'));
  const stage = new Stage(options);
  try {
    for (const [index, step] of scenario.steps.entries()) {
      try {
        await stage.take(step);
      } catch (error) {
        throw error instanceof Mismatch ? new Mismatch(`step ${index + 1}: ${error.message}`) : error;
      }
    }
  } finally {
    stage.close();
    process.env.PATH = before;
  }
}

async function serve({ scenarios, place, options }) {
  for (const [index, scenario] of scenarios.entries()) {
    let text = '';
    try {
      await perform(scenario, path.join(place, `${index}`), options);
    } catch (error) {
      text = error instanceof Mismatch ? error.message : String(error?.stack ?? error);
    }
    process.send({ index, text });
  }
  process.disconnect();
}

// ---- In the process that judges

/** What is wrong with each scenario, "" where all is well: those of one process, up to one that hangs or ends it. */
function batch(scenarios, options) {
  const place = mkdtempSync(path.join(tmpdir(), 'cmdmox-js-'));
  const tmp = path.join(place, 'tmp');
  mkdirSync(tmp);
  const child = fork(fileURLToPath(import.meta.url), [], { env: { ...process.env, TMPDIR: tmp, CMOX_TMPDIR: tmp } });
  const texts = [];
  let timer;
  let why = 'its process ended';
  const guard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => { why = 'it hangs'; child.kill('SIGKILL'); }, GUARD);
  };
  guard();
  child.on('message', ({ text }) => { texts.push(text); guard(); });
  child.send({ scenarios, place, options });
  return new Promise((resolve) => {
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      const left = readdirSync(tmp);
      rmSync(place, { recursive: true, force: true });
      if (texts.length < scenarios.length) texts.push(`${why} (${signal ?? status})`);
      else if (status !== 0) texts[texts.length - 1] ||= `after it the process ends with ${signal ?? status}`;
      else if (left.length) texts[texts.length - 1] ||= `the scenarios leave ${left.join(', ')}`;
      resolve(texts);
    });
  });
}

function skipped(scenario, name, { sync }) {
  for (const need of scenario.needs ?? []) {
    if (!PROVIDED.has(need)) throw new Error(`${need} is needed, and this runner knows nothing of it`);
  }
  return sync ? NOT_IN_SYNC[name] : undefined;
}

function* files(folder, names, smoke) {
  for (const file of readdirSync(folder).filter((each) => each.endsWith('.json')).sort()) {
    const chosen = JSON.parse(readFileSync(path.join(folder, file), 'utf8'))
      .map((scenario) => ({ ...scenario, name: `${path.basename(file, '.json')}/${scenario.name}` }))
      .filter(({ name, smoke: small }) => (names.length === 0 || names.some((each) => name.startsWith(each))) && (!smoke || small));
    if (chosen.length) yield chosen;
  }
}

async function main(words) {
  const flags = words.filter((word) => word.startsWith('--'));
  const [folder, ...names] = words.filter((word) => !word.startsWith('--'));
  const given = (name) => flags.find((word) => word.split('=')[0] === name);
  if (!folder || flags.some((word) => !['--smoke', '--broken', '--sync', '--connect'].includes(word.split('=')[0]))) {
    process.stderr.write('usage: run_js.mjs [--smoke] [--broken] [--sync] [--connect=ADDRESS] FOLDER [NAME...]\n');
    return 2;
  }
  const options = { sync: Boolean(given('--sync')), address: given('--connect')?.slice('--connect='.length) };
  const tally = { ok: 0, skip: 0, 'not ok': 0 };
  const broken = Boolean(given('--broken'));
  for (const file of files(folder, names, given('--smoke'))) {
    const left = file.filter((scenario) => {
      const why = skipped(scenario, scenario.name, options);
      if (why) console.log(`skip ${scenario.name}: ${why}`);
      tally.skip += why ? 1 : 0;
      return !why;
    });
    while (left.length) {
      for (const text of await batch(left, options)) {
        const { name } = left.shift();
        const passed = Boolean(text) === broken;
        const said = passed ? text && ` (${text.split('\n')[0]})` : `\n${(text || 'it passes, and should not').replace(/^/gm, '    ')}`;
        console.log(`${passed ? 'ok' : 'not ok'} ${name}${said}`);
        tally[passed ? 'ok' : 'not ok']++;
      }
    }
  }
  console.log(`${tally.ok} passed, ${tally.skip} skipped, ${tally['not ok']} failed`);
  return tally.ok && !tally['not ok'] ? 0 : 1;
}

if (process.send) process.once('message', serve);
else process.exitCode = await main(process.argv.slice(2));
