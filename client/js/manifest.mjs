// manifest.mjs MAIN FOLDER [FOLDER...]: writes FOLDER/package.json of the packages that are published together: the first
// folder has the package itself, each other one, in bin/, a program and its shim. MAIN is client/js/package.json.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const MACHINES = new Map([[62, 'x64'], [183, 'arm64']]); // e_machine, and the word of Node and npm for it
const PT_INTERP = 3;

function fail(message) {
  console.error(`npm packages: ${message}`);
  process.exit(1);
}

/** The processor of a static 64-bit little-endian ELF program for Linux: it runs with any C library, or none. */
function machine(file) {
  const data = readFileSync(file);
  if (data.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') fail(`${file} is no 64-bit ELF program`);
  const start = Number(data.readBigUInt64LE(32));
  const size = data.readUInt16LE(54);
  const headers = Array.from({ length: data.readUInt16LE(56) }, (_, index) => data.readUInt32LE(start + index * size));
  if (headers.includes(PT_INTERP)) fail(`${file} is linked dynamically: configure with CMDMOX_STATIC_PROGRAM=ON`);
  return MACHINES.get(data.readUInt16LE(18)) ?? fail(`${file} is for machine ${data.readUInt16LE(18)}; known are ${[...MACHINES.keys()]}`);
}

function write(folder, manifest) {
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

const [main, folder, ...platforms] = process.argv.slice(2);
const { devDependencies: _, ...manifest } = JSON.parse(readFileSync(main, 'utf8'));
const { version, license, engines } = manifest;
manifest.optionalDependencies = {};
for (const each of platforms) {
  const [cpu, shim] = ['cmdmox', 'cmdmox-shim'].map((name) => machine(path.join(each, 'bin', name)));
  if (cpu !== shim) fail(`${each}/bin/cmdmox is for ${cpu}, cmdmox-shim for ${shim}`);
  const name = `@cmdmox/linux-${cpu}`;
  write(each, {
    name, version, license, engines,
    description: `The program of cmdmox for Linux on ${cpu}; install cmdmox, which brings it`,
    os: ['linux'], cpu: [cpu],
    bin: { cmdmox: 'bin/cmdmox' },
    files: ['bin', 'LICENSE.*'],
  });
  manifest.optionalDependencies[name] = version;
}
write(folder, manifest);
