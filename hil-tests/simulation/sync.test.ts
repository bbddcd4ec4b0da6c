/**
 * Both real halves of the sync protocol, over lives full of cuts, power losses, restores, ghosts and wrong
 * clocks. `LIMPET_LIVES` sets how many lives, `LIMPET_SEED` the first of them.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { live } from './life.ts';
import { MUTANTS } from './mutants.ts';
import { REAL, type Variant } from './variant.ts';
import { LifeFailed } from './world.ts';

const LIVES = Number(process.env['LIMPET_LIVES'] ?? 1000);
const FIRST = Number(process.env['LIMPET_SEED'] ?? 0);
/** Within so many lives each mutant must be caught. */
const MUTANT_LIVES = 400;

// Memory where there is some: a life syncs its disks dozens of times.
const shared = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const folder = mkdtempSync(join(shared, 'limpet-lives-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test(`${LIVES} lives end with both halves agreeing and nothing acknowledged lost`, () => {
  for (let seed = FIRST; seed < FIRST + LIVES; seed++) live(seed, REAL, folder);
});

for (const [name, mutant] of Object.entries(MUTANTS)) {
  test(`it is noticed when ${name}`, (t) => {
    for (let seed = 0; seed < MUTANT_LIVES; seed++) {
      const what = fate(seed, mutant);
      if (what === undefined) continue;
      // A life that the product does not survive either tells nothing about the mutant.
      assert.equal(fate(seed, REAL), undefined);
      t.diagnostic(what.split('\n', 1)[0] ?? '');
      return;
    }
    assert.fail(`${MUTANT_LIVES} lives went well`);
  });
}

/** How a life failed, if it did. */
function fate(seed: number, variant: Variant): string | undefined {
  try {
    live(seed, variant, folder);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof LifeFailed, String(error));
    return error.message;
  }
}
