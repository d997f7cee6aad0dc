// What sync_spawn.ts and its Worker have in common: the binding, and what they say to each other.
export type Plain = Record<string, unknown>;
export type Result = { output?: (Uint8Array | null)[] | null };
export type Spawn = (options: Plain) => unknown;

export interface Binding {
  spawn: Spawn;
}

/** `refused`: Node's function threw, and nothing ran; `lost`: the command may have run, and what came of it is not known. */
export type RunnerWord = { result: Result } | { refused: true } | { lost: string };

/** Node's own function for commands that are waited for; undefined: it is out of reach. */
export function spawnSyncBinding(): Binding | undefined {
  const its = process as unknown as { binding?(name: string): Binding; noDeprecation?: boolean };
  const before = its.noDeprecation;
  its.noDeprecation = true; // --pending-deprecation is about the tests, not about us
  try {
    const binding = its.binding?.('spawn_sync');
    return typeof binding?.spawn === 'function' ? binding : undefined;
  } catch {
    return undefined;
  } finally {
    if (before === undefined) delete its.noDeprecation;
    else its.noDeprecation = before;
  }
}
