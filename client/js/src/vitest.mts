// The adapter for vitest: a test function whose tests may ask for a session.
//
//     import { test } from 'cmdmox/vitest';
//
//     test('releases', ({ cmdmox }) => {
//       cmdmox.mock('git').withArgs('describe', '--tags').returns({ stdout: 'v1.4.0\n' });
//       expect(releaseVersion()).toBe('v1.4.0');
//     });
import { type TestAPI, test as base } from 'vitest';

import type { CmdMox } from './index.js';
import { type AdapterOptions, Held } from './held.js';
import { Location, short } from './location.js';

export type { AdapterOptions } from './held.js';

/** What tests may ask for. */
export interface Fixtures {
  /** A session for this test: it has replayed, so that doubles answer from where they are declared; it is verified after the
   * body and the hooks afterEach, and what is wrong fails the test. If the body has failed, that is the first error of the
   * test, and the report the next. */
  cmdmox: CmdMox;
}

/** `test` with sessions that are made with these options. */
export function testWith(options: AdapterOptions): TestAPI<Fixtures> {
  return base.extend<Fixtures>({
    cmdmox: async ({ task }, use) => {
      const names = [task.name];
      for (let suite = task.suite; suite; suite = suite.suite) names.unshift(suite.name);
      const where = new Location(short(task.file.filepath), task.location?.line ?? 0, task.name);
      const held = new Held(options, names.join(' > '), where);
      let error;
      let late;
      try {
        await use(held.mox);
        error = held.judge();
      } finally {
        late = held.end();
      }
      if (error) throw error;
      if (late !== undefined) throw new Error(late);
    },
  });
}

/** vitest's `test` with the fixture `cmdmox`. Nothing is started for tests that do not ask. */
export const test: TestAPI<Fixtures> = testWith({});

/** The same by its other name. */
export const it = test;
