// Where the cmdmox program is.
import fs from 'node:fs';
import path from 'node:path';

import { BuilderError, ServerError } from './errors.js';
import { bundled } from './bundled.js';
import { describe } from './text.js';

const VARIABLE = 'CMDMOX_PROGRAM';

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

function isFile(file: string): boolean {
  try {
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** A path that somebody has named: it must be a program. */
function checked(file: string, said: string): string {
  if (isExecutable(file)) return path.resolve(file);
  throw new ServerError(`${said} names ${file}, which ${isFile(file) ? 'is not executable' : 'is no file'}: give the path of the cmdmox program`);
}

/** The option, CMDMOX_PROGRAM, the program that was installed with this package, or cmdmox on PATH: the first there is. */
export function findProgram(named: string | undefined): string {
  if (named !== undefined) {
    if (typeof named !== 'string') throw new BuilderError(`program is ${describe(named)}: give the path of the cmdmox program`);
    return checked(named, 'program');
  }
  const variable = process.env[VARIABLE];
  if (variable) return checked(variable, VARIABLE);
  const installed = bundled();
  if (installed && isExecutable(installed)) return installed;
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(folder || '.', 'cmdmox');
    if (isExecutable(file)) return path.resolve(file);
  }
  throw new ServerError('there is no cmdmox program: the package for this platform, '
    + `@cmdmox/${process.platform}-${process.arch}, is not installed, and it is not on PATH. Install cmdmox, or set ${VARIABLE}, or say `
    + 'new CmdMox({ program: "/path/to/cmdmox" })');
}
