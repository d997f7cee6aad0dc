// The sessions that were replayed and not ended: what nobody looks at must not pass.
//
// When the process exits each of them is verified, what there is to say is written to stderr, and the process ends with
// status 1. Whoever runs tests does the same after each test, for those of sessions() that it made, and fails the test. A
// failure that no error can carry counts the same: lose() keeps it, and takeLost() is for whoever runs tests.
import fs from 'node:fs';

import { hurry } from './bridge.js';
import type { CmdMox } from './session.js';

const EXIT_MOST = 2_000; // ms in which the servers answer, and end, when the process exits

const living = new Set<CmdMox>();
const lost: string[] = [];
let ending: (() => void) | undefined;

export function add(mox: CmdMox): void {
  living.add(mox);
}

export function remove(mox: CmdMox): void {
  living.delete(mox);
}

export function sessions(): CmdMox[] {
  return [...living];
}

/** Ends all sessions that were replayed and not ended; what is wrong with each of them. */
export function settle(but: readonly CmdMox[] = []): string[] {
  return sessions().filter((mox) => !but.includes(mox)).map((mox) => mox.settle()).filter((text) => text !== undefined);
}

/** On stderr, at once: at the exit nobody waits for a stream. */
export function write(text: string): void {
  try {
    fs.writeSync(2, text.endsWith('\n') ? text : `${text}\n`);
  } catch {
    // nobody reads it
  }
}

/** What is wrong with a session that has ended, where nobody would hear of it: on stderr, and the process fails. */
export function lose(text: string): void {
  write(`cmdmox: ${text}`);
  lost.push(text);
}

/** What was lost since, for one who fails something else of it than the process. */
export function takeLost(): string[] {
  return lost.splice(0);
}

/** Has the sessions settled, and then the servers ended, when this process exits; once. */
export function atExit(endServers: () => void): void {
  if (ending) return;
  ending = () => {
    hurry(EXIT_MOST);
    const texts = settle();
    for (const text of texts) write(`cmdmox: ${text}`);
    if ((takeLost().length || texts.length) && !process.exitCode) process.exitCode = 1;
    endServers();
  };
  process.on('exit', ending);
}
