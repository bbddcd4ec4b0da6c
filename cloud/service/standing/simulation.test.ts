import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { MUTANTS } from './mutants.fixture.ts';
import { live } from './simulation.fixture.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'limpet-standing-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const SEEDS = Number(process.env['SEEDS'] ?? 6);
const FIRST = Number(process.env['SEED'] ?? 1);
/** A mutant is to be noticed within so many. */
const PATIENCE = 12;
/** What takes long to be noticed: the life where it last was, which is looked at first. */
const NOTICED_AT = new Map([
  ['models are not followed', 4],
  ['the last of a full page is passed over', 4],
  ['what did not arrive is not looked at again', 4],
  ['time alone changes nothing', 3],
  ['the client keeps what is not told again', 2],
]);

test(`what readers are told adds up to what the query answers, whatever happens (${SEEDS} lives)`, async () => {
  const all = { events: 0, resets: 0, restarts: 0, cuts: 0, comparisons: 0 };
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    try {
      const lived = await live({ seed, folder, steps: 250 });
      for (const [name, count] of Object.entries(lived)) all[name as keyof typeof all] += count;
    } catch (error) {
      throw new Error(`life ${seed}`, { cause: error });
    }
  }
  // Lives in which nothing happened would prove nothing.
  for (const [name, count] of Object.entries(all))
    assert.ok(count > SEEDS / 2, `${name}: ${count}`);
});

for (const mutant of MUTANTS) {
  test(`the lives notice when ${mutant.name}`, async (t) => {
    const first = NOTICED_AT.get(mutant.name) ?? 1;
    for (let life = 0; life < PATIENCE; life++) {
      const seed = 1 + ((first - 1 + life) % PATIENCE);
      const mend = mutant.patch?.();
      try {
        await live({ seed, folder, steps: 250, broken: mutant });
      } catch (error) {
        assert.ok(error instanceof assert.AssertionError, String(error));
        t.diagnostic(`life ${seed}`);
        return;
      } finally {
        mend?.();
      }
    }
    assert.fail('nobody noticed');
  });
}
