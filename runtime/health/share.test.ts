import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  heapLimitMiB,
  maxProperties,
  outOfReach,
  overbooked,
  reshare,
  shareMemory,
  type Sharer,
  valueBytes,
} from './share.ts';

const MI = 2 ** 20;
const GI = 2 ** 30;

const mapper = (protocol: string, mi = 24, hosting: Sharer['hosting'] = 'process'): Sharer => ({
  protocol,
  hosting,
  budgetBytes: mi * MI,
});
const ALL = [
  mapper('modbus', 14),
  mapper('opcua', 40),
  mapper('bluetooth', 12),
  mapper('mqtt', 10),
];

test('what comes with Limpet and nobody needs takes no room; once it runs it has to fit', () => {
  const wish = { ceiling: 64 * MI, core: 32 * MI };
  const standing = ALL.map((each) => ({ ...each, standby: true }));
  const before = shareMemory(wish, { total: GI }, standing);
  assert.deepEqual([before.mappers, overbooked(before)], [[], undefined]);
  const one = standing.map((each) => ({ ...each, standby: each.protocol !== 'mqtt' }));
  const after = reshare(before, one);
  assert.deepEqual([after.share.mappers.length, after.unfit], [1, []]);
  const large = one.map((each) => ({ ...each, standby: each.protocol === 'modbus' }));
  assert.deepEqual(reshare(after.share, large).unfit, ['opcua']);
});

test('what limpet.yaml leaves open is derived from the machine', () => {
  const cases = [
    // what, machine, sharers, ceiling and core in MiB
    [
      'a Pi Zero 2 W, Modbus inline',
      { total: 427 * MI },
      [mapper('modbus', 14, 'inline')],
      106,
      48,
    ],
    [
      'a Pi Zero 2 W, Modbus and one of its own',
      { total: 427 * MI },
      [mapper('modbus', 14), mapper('x')],
      106,
      48,
    ],
    ['the same with all four', { total: 427 * MI }, ALL, 106, 30],
    ['a gateway of 2 GB', { total: 2 * GI }, ALL, 512, 128],
    ['a server', { total: 64 * GI }, ALL, 512, 128],
    ["the bundle's heap of 64 MiB", { total: 2 * GI, heap: 67 * MI }, ALL, 512, 83],
    ['the same on a Pi Zero 2 W', { total: 427 * MI, heap: 67 * MI }, [], 106, 48],
    ['a hard limit of 30 MB', { total: 8 * GI, limit: 30_000_000 }, [], 19, 19],
    ['a limit above the machine', { total: 400 * MI, limit: 2 * GI }, [], 100, 48],
  ] as const;
  for (const [what, machine, sharers, ceiling, core] of cases) {
    const share = shareMemory({}, machine, sharers);
    assert.deepEqual([share.ceiling / MI, share.core / MI], [ceiling, core], what);
    assert.equal(overbooked(share), undefined, what);
  }
});

test('what limpet.yaml says counts, to the byte', () => {
  const share = shareMemory({ ceiling: 96e6, core: 40 * MI }, { total: 427 * MI }, [mapper('x')]);
  assert.deepEqual([share.ceiling, share.core, share.sum], [96e6, 40 * MI, 64 * MI]);
  assert.equal(share.from, 'memory.ceiling');
});

test('a core whose heap ends long before its budget is told how to get it', () => {
  const share = (mi: number) => shareMemory({ core: mi * MI }, { total: 2 * GI }, []);
  assert.equal(outOfReach(share(80), 67 * MI), undefined);
  assert.equal(outOfReach(share(128), undefined), undefined);
  assert.match(outOfReach(share(128), 67 * MI) ?? '', /LIMPET_HEAP_MIB=112 /);
});

test('budgets above the ceiling are refused with the table and what to change', () => {
  const share = shareMemory({ ceiling: 64 * MI, core: 32 * MI }, { total: 427 * MI }, [
    mapper('modbus', 14),
    mapper('acme-meter'),
  ]);
  assert.deepEqual(overbooked(share)?.split('\n'), [
    'the memory budgets of this node are above its ceiling (memory.ceiling):',
    '  core                 32.0 MiB',
    '  mapper modbus        14.0 MiB',
    '  mapper acme-meter    24.0 MiB',
    '  sum                  70.0 MiB',
    '  ceiling              64.0 MiB',
    'raise memory.ceiling to at least 70Mi, lower memory.core, disable a mapper or give it less (mappers.PROTOCOL) in limpet.yaml',
  ]);
});

test('where the mappers leave the core too little, that is refused and not made up', () => {
  const small = shareMemory({}, { total: 8 * GI, limit: 30_000_000 }, [mapper('opcua', 40)]);
  assert.match(overbooked(small) ?? '', /core +16\.0 MiB\n.*40\.0 MiB/);
});

test('an inline mapper lives on the budget of the core, and one that is broken has none', () => {
  const broken = { protocol: 'acme', hosting: 'process' } as const;
  assert.deepEqual(shareMemory({}, { total: GI }, [broken]).mappers, []);
  assert.deepEqual(shareMemory({}, { total: GI }, [mapper('modbus', 14, 'inline')]).mappers, []);
});

test("V8's heap has room for the rest of Node beside it, and never less than it starts with", () => {
  assert.deepEqual(
    [6, 14, 24, 40].map((mi) => heapLimitMiB(mi * MI)),
    [10, 10, 16, 32],
  );
});

test('a larger core takes on more properties, within limits', () => {
  const counts = [12, 16, 19, 32, 48, 128].map((mi) => maxProperties(mi * MI));
  assert.deepEqual(
    counts,
    counts.toSorted((a, b) => a - b),
  );
  assert.deepEqual([counts.at(0), counts.at(-1)], [500, 20_000]);
  assert.ok(maxProperties(19 * MI) >= 1_000, 'the workload of the hard limit of 30 MB');
});

test('texts have a quarter of what the core has beside its start', () => {
  const rooms = [16, 21, 48, 83, 512].map((mi) => valueBytes(mi * MI) / MI);
  assert.deepEqual(rooms, [1, 1.75, 8.5, 17.25, 32]);
});

test('a mapper that comes while the node runs gets what is left; who had a part keeps it', () => {
  const before = shareMemory({ ceiling: 80 * MI, core: 32 * MI }, { total: GI }, [
    mapper('modbus', 14),
  ]);
  const late = reshare(before, [mapper('acme', 24), mapper('big', 20), mapper('modbus', 14)]);
  assert.deepEqual(late.unfit, ['big']);
  assert.deepEqual(
    late.share.mappers.map(({ protocol }) => protocol),
    ['modbus', 'acme'],
  );
  assert.equal(late.share.sum, 70 * MI);
  const grown = reshare(late.share, [mapper('modbus', 40), mapper('acme', 24)]);
  assert.deepEqual(grown.unfit, ['modbus'], 'growing is not keeping');
  const freed = reshare(late.share, [mapper('big', 20), mapper('modbus', 14)]);
  assert.deepEqual(freed.unfit, []);
});
