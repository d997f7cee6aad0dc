// Prints what a call costs that a function of JavaScript answers, for cmdmox_bench: for each run one line, the medians in us
// of /bin/true and of a call with a handler by spawn(), and of both by spawnSync(), taken in turn.
//
//   js_calls.mjs FOLDER PROGRAM RUNS CALLS
//
// FOLDER is the package. One run more than asked is made: the first warms up. /bin/true is started by Node's
// own spawnSync(), and not by the one that carries on with handlers meanwhile.
import { spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';

const [folder, program, runs, calls] = process.argv.slice(2);
const { CmdMox } = createRequire(import.meta.url)(path.resolve(folder, 'dist/index.js'));

const OPTIONS = { stdio: 'ignore' };
const binding = process.binding('spawn_sync');
const own = binding.spawn;

const failed = (file, how) => { throw new Error(`${file} ended with ${how}`); };
const now = () => Number(process.hrtime.bigint()) / 1000;

async function spawned(file, env) {
  const begin = now();
  const child = spawn(file, ['describe', '--tags'], { ...OPTIONS, env });
  const status = await new Promise((resolve, reject) => { child.on('exit', resolve); child.on('error', reject); });
  return status === 0 ? now() - begin : failed(file, status);
}

function spawnedInSync(file, env, spawnIt) {
  const hook = binding.spawn;
  binding.spawn = spawnIt ?? hook;
  const begin = now();
  const { status, error } = spawnSync(file, ['describe', '--tags'], { ...OPTIONS, env });
  const took = now() - begin;
  binding.spawn = hook;
  return status === 0 ? took : failed(file, error ?? status);
}

function median(samples) {
  return samples.sort((a, b) => a - b)[Math.floor(samples.length / 2)];
}

const mox = new CmdMox({ environment: 'none', program });
const handled = mox.stub('handled').runs(() => 'v1.4.0\n');
mox.replay();
const env = mox.environ;
const command = `${mox.shimDirectory}/handled`;
for (let run = 0; run <= runs; run++) {
  const samples = [[], [], [], []];
  for (let call = 0; call < calls; call++) {
    samples[0].push(await spawned('/bin/true', env));
    samples[1].push(await spawned(command, env));
    samples[2].push(spawnedInSync('/bin/true', env, own));
    samples[3].push(spawnedInSync(command, env));
  }
  if (run > 0) console.log(samples.map((taken) => median(taken).toFixed(3)).join(' '));
}
const made = (Number(runs) + 1) * calls * 2;
if (handled.callCount !== made) throw new Error(`${made} calls were made, the journal has ${handled.callCount}`);
mox.verify();
mox.close();
