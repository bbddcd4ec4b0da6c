import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Life } from './life.fixture.ts';
import { MUTANTS } from './mutants.fixture.ts';

/** `LIMPET_ROLLOUT_LIVES`: how many lives (default 12). `LIMPET_SEED`: the first seed, by default another in each run. */
const LIVES = Number(process.env['LIMPET_ROLLOUT_LIVES'] ?? 12);
const SEED = Number(process.env['LIMPET_SEED'] ?? Math.floor(Date.now() / 1000));
/** A mutant is to be noticed within so many. */
const PATIENCE = 40;
/** What takes long to be noticed: the life where it last was, which is looked at first. */
const NOTICED_AT = new Map([
  ['it does not wait for the canary', 5],
  ['it never stops', 10],
  ['it stops one failure late', 22],
  ['it counts failures from before it went on', 10],
  ['it takes back a device less', 3],
]);

const folder = mkdtempSync(join(tmpdir(), 'limpet-lives-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test(`${LIVES} lives: told once, the canary first, never more than a batch, stopped in time, reverted to what was`, async () => {
  for (let seed = SEED; seed < SEED + LIVES; seed++) {
    try {
      await Life.live(join(folder, `${seed}.db`), seed);
    } catch (error) {
      throw new Error(`LIMPET_SEED=${seed} LIMPET_ROLLOUT_LIVES=1`, { cause: error });
    }
  }
});

for (const [name, variant] of Object.entries(MUTANTS)) {
  test(`the lives notice when ${name}`, async (t) => {
    const first = NOTICED_AT.get(name) ?? 1;
    for (let life = 0; life < PATIENCE; life++) {
      const seed = 1 + ((first - 1 + life) % PATIENCE);
      try {
        await Life.live(
          join(folder, `${t.name.length}-${seed}-${name.slice(-9)}.db`),
          seed,
          variant,
        );
      } catch (error) {
        t.diagnostic(`life ${seed}: ${String(error).split('\n', 1)[0]}`);
        return;
      }
    }
    assert.fail(`${PATIENCE} lives went by`);
  });
}
