// The environment of this process while a session is applied to it: what was changed, and what it was before.
//
// One session at a time: two that put their shims on PATH would each find the other's.
import { errorOf } from './errors.js';

let taken: { whose: string; by: Applied } | undefined;

/** What a session has changed in process.env. */
export class Applied {
  private readonly before = new Map<string, string | undefined>();

  get active(): boolean {
    return taken?.by === this;
  }

  /** Sets the variables; once. */
  apply(variables: Readonly<Record<string, string>>, whose: string): void {
    if (this.active) return;
    if (taken) {
      throw errorOf('ENVIRONMENT_BUSY', `${taken.whose} is applied to this process's environment: end it first, with verify() or close(), or `
        + 'make this one with new CmdMox({ environment: "none" }) and start the code under test with env: mox.environ');
    }
    taken = { whose, by: this };
    for (const [name, value] of Object.entries(variables)) {
      this.before.set(name, process.env[name]);
      process.env[name] = value;
    }
  }

  /** Gives each variable that was changed the value from before, whatever it holds by now. */
  restore(): void {
    for (const [name, value] of this.before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    this.before.clear();
    if (this.active) taken = undefined;
  }

  /** A variable as the test has it. */
  valueBefore(name: string): string | undefined {
    return this.before.has(name) ? this.before.get(name) : process.env[name];
  }
}
