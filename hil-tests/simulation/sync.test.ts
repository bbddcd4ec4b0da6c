/**
 * Both real halves of the sync protocol, over lives full of cuts, power losses, restores, ghosts and wrong
 * clocks. `LIMPET_LIVES` sets how many lives, `LIMPET_SEED` the first of them: by default others in each run.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { urlOf } from '#cloud/service/testing.ts';
import { live } from './life.ts';
import { MUTANTS } from './mutants.ts';
import { REAL, type Variant } from './variant.ts';
import { LifeFailed } from './world.ts';

const LIVES = Number(process.env['LIMPET_LIVES'] ?? 100);
/** Of a run in each second, as many further on as most runs live. */
const FIRST = Number(
  process.env['LIMPET_SEED'] ?? (Math.floor(Date.now() / 1000) % 10_000_000) * 100,
);
/** So many lives are one test: a life that fails is not the end of the others. */
const TOGETHER = 50;
/** Within so many lives each mutant must be caught. */
const MUTANT_LIVES = 400;
/** What takes long to be noticed: where it last was, which is looked at first. */
const NOTICED_AT = new Map([
  ['the cloud withdraws orders that are newer than the deletion', 210],
  ['the cloud says ack before it is on disk', 32],
]);

// Memory where there is some: a life syncs its disks dozens of times.
const shared = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const folder = mkdtempSync(join(shared, 'limpet-lives-'));
after(() => rmSync(folder, { recursive: true, force: true }));

for (let from = FIRST; from < FIRST + LIVES; from += TOGETHER) {
  const end = Math.min(from + TOGETHER, FIRST + LIVES);
  test(`lives ${from} to ${end - 1} end with both halves agreeing and nothing acknowledged lost`, async () => {
    for (let seed = from; seed < end; seed++) await live(seed, REAL, folder);
  });
}

// They break what does not depend on where the database is, and want hundreds of lives.
const skip = urlOf('') !== undefined;

for (const [name, mutant] of Object.entries(MUTANTS)) {
  test(`it is noticed when ${name}`, { skip }, async (t) => {
    const first = NOTICED_AT.get(name) ?? 0;
    for (let life = 0; life < MUTANT_LIVES; life++) {
      const seed = (first + life) % MUTANT_LIVES;
      const what = await fate(seed, mutant);
      if (what === undefined) continue;
      // A life that the product does not survive either tells nothing about the mutant.
      assert.equal(await fate(seed, REAL), undefined);
      t.diagnostic(what.split('\n', 1)[0] ?? '');
      return;
    }
    assert.fail(`${MUTANT_LIVES} lives went well`);
  });
}

/** How a life failed, if it did. */
async function fate(seed: number, variant: Variant): Promise<string | undefined> {
  try {
    await live(seed, variant, folder);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof LifeFailed, String(error));
    return error.message;
  }
}
