import assert from 'node:assert/strict';
import test from 'node:test';
import { runConformance } from './conformance.ts';
import { grade } from './grade.ts';
import type { Assertion } from './subject.ts';
import { tinySimulator } from './tiny-device.fixture.ts';
import { type Quirk, tinyMapper } from './tiny.fixture.ts';

/** One real run of the tiny mapper, without what takes long. */
async function run(quirk?: Quirk): Promise<Assertion[]> {
  const assertions: Assertion[] = [];
  for await (const each of runConformance(tinyMapper(quirk), {
    simulator: tinySimulator(),
    settings: { address: 'tcp://127.0.0.1:1' },
    items: [
      {
        visitor: { key: 'level' },
        property: { name: 'level', type: 'float', access: 'readWrite' },
        reads: 5,
        writes: [1, -3],
      },
    ],
    faults: 60,
  })) {
    assertions.push(each);
  }
  return assertions;
}

test('the grade says what a mapper can be trusted with', async () => {
  const good = await run();
  assert.deepEqual(grade(good), {
    grade: 'A',
    why: 'everything that applies passes, under every fault',
  });
  const untried = good.map((each) =>
    each.id === 'DMI-431' ? ({ ...each, result: 'not-applicable' } as const) : each,
  );
  assert.deepEqual(grade(untried), { grade: 'B', why: 'faults not tried: DMI-431' });
  assert.deepEqual(grade([]), { grade: 'F', why: 'the device was never read: DMI-101' });
  for (const [quirk, expected, why] of [
    ['keeps the wire', 'C', /DMI-501/],
    ['makes up a value for silence', 'D', /DMI-423/],
    ['tells no change', 'F', /DMI-703/],
    ['remembers what it wrote', 'F', /DMI-802/],
  ] as const) {
    const found = grade(await run(quirk));
    assert.equal(found.grade, expected, quirk);
    assert.match(found.why, why);
  }
});
