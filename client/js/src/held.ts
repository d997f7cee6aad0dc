// What an adapter for a runner of tests has in common with the others: the session of a test, and how it ended.
import { CmdMox, CmdMoxError, UnverifiedError, type Options } from './index.js';
import { type Location, at, said } from './location.js';
import { OPTIONS } from './session.js';
import { named } from './text.js';

/** What a test may say of its session: all that CmdMox takes, and whether it replays and verifies by itself. */
export interface AdapterOptions extends Options {
  /** Replays before the body and verifies after it; true unless something is said. */
  readonly autoLifecycle?: boolean;
}

export class Held {
  readonly mox: CmdMox;
  /** The test has skipped itself: what it has not come to is no failure. */
  skipped = false;
  readonly #auto: boolean;
  readonly #where: Location;
  #calls: number | undefined; // until verified

  /** `where`: of the test, for what is said of it and not of one of its lines. */
  constructor(options: AdapterOptions, label: string, where: Location) {
    const { autoLifecycle = true, ...its } = said('cmdmox', () => named(options, 'the session of a test', ...OPTIONS, 'autoLifecycle'), where);
    this.#auto = autoLifecycle;
    this.#where = where;
    this.mox = at(where, () => new CmdMox({ label, ...its }));
    if (!this.#auto) return;
    try {
      at(where, () => this.mox.replay());
    } catch (error) {
      this.mox.settle();
      throw error;
    }
  }

  /** After the body: what is wrong. The shims stay until the end, so that no teardown runs a real command for a double. */
  judge(): Error | undefined {
    return at(this.#where, () => {
      const { mox } = this;
      if (this.skipped) return undefined;
      if (mox.phase === 'record' && mox.doubles.length > 0) {
        return plain(new UnverifiedError('cmdmox: the test has declared doubles, and never called replay(): its commands were the real ones'));
      }
      if (mox.phase !== 'replay') return undefined; // the test did it by itself
      try {
        if (!this.#auto) throw this.#forgotten();
        mox.verify({ keepEnvironment: true });
      } catch (error) {
        if (error instanceof CmdMoxError) return plain(error);
        throw error;
      } finally {
        this.#calls = this.#count();
      }
      return undefined;
    });
  }

  #forgotten(): UnverifiedError {
    const report = this.mox.report();
    const would = report.passed ? 'would have passed' : `fails:\n${report.text}`;
    return new UnverifiedError(`cmdmox: the test has called replay(), and not verify(), which ${would}`);
  }

  #count(): number | undefined {
    try {
      return this.mox.callCount();
    } catch {
      return undefined; // there is no server any more: that is said already
    }
  }

  /** Ends the session; what is to be said of calls that came after its verification. */
  end(): string | undefined {
    return at(this.#where, () => {
      const before = this.#calls;
      const late = before !== undefined && this.mox.phase !== 'closed' && (this.#count() ?? before) > before
        ? this.mox.journal.slice(before).map((call) => `  ${call.line}`) : [];
      this.mox.settle();
      if (late.length === 0) return undefined;
      const whose = this.mox.label ? `"${this.mox.label}" (${this.#where})` : `of ${this.#where}`;
      return [`cmdmox: commands were called after the test ${whose}, when its session was verified already; they got status 125:`, ...late,
        'Is there an await missing in that test?'].join('\n');
    });
  }
}

/** The error without its stack: the text says what and where, and the lines of an adapter say nothing. */
function plain(error: CmdMoxError): CmdMoxError {
  Object.defineProperty(error, 'stack', { value: `${error.name}: ${error.message}`, configurable: true, writable: true });
  return error;
}
