import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { checkMapper, runConformance } from './conformance.ts';
import type { Assertion, Subject } from './subject.ts';
import { type DeviceQuirk, tinySimulator } from './tiny-device.fixture.ts';
import { type Quirk, tinyMapper } from './tiny.fixture.ts';

function subject(): Subject {
  const visitor = (key: string): { key: string } => ({ key });
  return {
    simulator: tinySimulator(),
    settings: { address: 'tcp://127.0.0.1:1', unit: 1 },
    items: [
      {
        visitor: visitor('level'),
        property: { name: 'level', type: 'float', access: 'readWrite' },
        reads: 5,
        writes: [1, 2.55, -3],
      },
      {
        visitor: visitor('name'),
        property: { name: 'name', type: 'string', access: 'read' },
        reads: 'north',
      },
      {
        visitor: visitor('open'),
        property: { name: 'open', type: 'bool', access: 'readWrite' },
        reads: true,
        writes: [false, true],
      },
    ],
    refused: visitor('absent'),
    refusedWrite: { visitor: visitor('absent'), value: 5 },
    methods: [
      {
        visitor: visitor('open-valve'),
        method: {
          name: 'open-valve',
          input: [{ name: 'by', type: 'float' }],
          output: [{ name: 'at', type: 'float' }],
        },
        input: [20],
        output: [75.5],
        refused: [-1],
      },
    ],
    discover: () => ({ where: 'tcp://127.0.0.1:1', settings: {} }),
    neighbour: {
      settings: { address: 'tcp://127.0.0.1:1', unit: 2 },
      items: [
        {
          visitor: visitor('level'),
          property: { name: 'level', type: 'float', access: 'read' },
          reads: 7,
        },
      ],
    },
  };
}

async function failures(
  mapper: ReturnType<typeof tinyMapper>,
  subject: Subject,
  only: readonly string[],
): Promise<Assertion[]> {
  const failed: Assertion[] = [];
  for await (const each of runConformance(mapper, { faults: 40, ...subject }, only)) {
    if (each.result === 'fail') failed.push(each);
  }
  return failed;
}

// The good mapper passes every promise: this registers one test for each.
checkMapper(tinyMapper(), subject());

const CAUGHT: readonly (readonly [Quirk, string])[] = [
  ['badly named', 'DMI-001'],
  ['never fits', 'DMI-002'],
  ['schema throws', 'DMI-003'],
  ['loose schema', 'DMI-004'],
  ['a new port each time', 'DMI-005'],
  ['fits with a boolean', 'DMI-006'],
  ['fails with a plain error', 'DMI-102'],
  ['leaves the wire when the greeting fails', 'DMI-104'],
  ['slow to abort', 'DMI-104'],
  ['dials without the signal', 'DMI-103'],
  ['numbers as text', 'DMI-201'],
  ['sorts the answers', 'DMI-202'],
  ['refuses an empty batch', 'DMI-203'],
  ['refusal spoils the batch', 'DMI-204'],
  ['takes each chunk for an answer', 'DMI-205'],
  ['leaves listeners', 'DMI-206'],
  ['says what was asked, not what is', 'DMI-301'],
  ['writes a neighbour too', 'DMI-302'],
  ['writes anything', 'DMI-303'],
  ['answers for what it did not write', 'DMI-304'],
  ['a refused write is a value', 'DMI-305'],
  ['ignores abort', 'DMI-401'],
  ['ignores abort', 'DMI-402'],
  ['a cut is Garbled', 'DMI-403'],
  ['does not hear a hang-up', 'DMI-404'],
  ['ignores abort', 'DMI-405'],
  ['makes up a value for nonsense', 'DMI-406'],
  ['listens to no errors', 'DMI-407'],
  ['slow to abort', 'DMI-401'],
  ['slow to abort', 'DMI-402'],
  ['a lost greeting is a plain error', 'DMI-411'],
  ['a lost greeting is a plain error', 'DMI-412'],
  ['does not hear a cut', 'DMI-413'],
  ['does not hear a cut', 'DMI-414'],
  ['does not hear a cut', 'DMI-415'],
  ['does not hear a cut', 'DMI-416'],
  ['does not hear a cut', 'DMI-417'],
  ['close waits for an end that never comes', 'DMI-418'],
  ['drops late answers', 'DMI-421'],
  ['takes any answer', 'DMI-422'],
  ['makes up a value for silence', 'DMI-423'],
  ['keeps whatever comes', 'DMI-431'],
  ['keeps answers for later', 'DMI-432'],
  ['tells no change', 'DMI-433'],
  ['keeps the wire', 'DMI-501'],
  ['close throws after a cut', 'DMI-502'],
  ['close throws the second time', 'DMI-503'],
  ['opens only once', 'DMI-504'],
  ['makes up a value for half an answer', 'DMI-601'],
  ['cannot tell what was not wished', 'DMI-701'],
  ['tells under the next index', 'DMI-702'],
  ['tells no start', 'DMI-702'],
  ['tells no change', 'DMI-703'],
  ['tells after its end', 'DMI-704'],
  ['loses in silence', 'DMI-705'],
  ['loses twice', 'DMI-705'],
  ['tells everything thrice', 'DMI-706'],
  ['subscribes only once', 'DMI-707'],
  ['reads only once', 'DMI-801'],
  ['remembers what it wrote', 'DMI-802'],
  ['writes a neighbour too', 'DMI-803'],
  ['remembers what it wrote', 'DMI-804'],
  ['ignores the unit', 'DMI-851'],
  ['close cuts the wire for all', 'DMI-852'],
  ['does not hear a cut', 'DMI-853'],
  ['serves nothing', 'DMI-901'],
  ['calls twice', 'DMI-902'],
  ['a refused call is a value', 'DMI-903'],
  ['repeats a lost call', 'DMI-904'],
  ['slow to abort', 'DMI-905'],
  ['finds what cannot be opened', 'DMI-911'],
  ['finds properties that it cannot read', 'DMI-912'],
  ['slow to abort', 'DMI-913'],
  ['finds without looking', 'DMI-914'],
];

const CAUGHT_DEVICES: readonly (readonly [DeviceQuirk, string])[] = [
  ['has no ways', 'DMI-101'],
  ['forgets what is set', 'DMI-801'],
  ['says what was set, not what is', 'DMI-802'],
  ['writes a neighbour too', 'DMI-803'],
  ['forgets with the wire', 'DMI-804'],
];

// Together, because a broken mapper is mostly waited for.
suite('each broken mapper is caught by the promise that it breaks', { concurrency: true }, () => {
  for (const quirk of new Set(CAUGHT.map(([each]) => each))) {
    const expected = CAUGHT.filter(([each]) => each === quirk).map(([, id]) => id);
    test(`"${quirk}" by ${expected.join(', ')}`, async () => {
      const failed = await failures(tinyMapper(quirk), subject(), expected);
      const ids = failed.map(({ id }) => id);
      for (const id of expected) assert.ok(ids.includes(id), `failed: ${JSON.stringify(failed)}`);
    });
  }
});

test('a device that talks by itself may have told a right value before the harm, and no other', async () => {
  for (const [quirk, id] of [
    ['does not hear a cut', 'DMI-414'],
    ['makes up a value for silence', 'DMI-423'],
  ] as const) {
    const failed = await failures(tinyMapper(quirk), { ...subject(), talks: true }, [id]);
    assert.equal(failed[0]?.id, id);
  }
});

suite('a wrong simulator under a right mapper is caught too', { concurrency: true }, () => {
  for (const [quirk, id] of CAUGHT_DEVICES) {
    test(`"${quirk}" by ${id}`, async () => {
      const wrong = { ...subject(), simulator: tinySimulator({ quirk }) };
      const failed = await failures(tinyMapper(), wrong, [id]);
      assert.deepEqual(
        failed.map((each) => each.id),
        [id],
      );
    });
  }
});

test('every promise but the first contact has a broken mapper that it catches', async () => {
  const caught = new Set(CAUGHT.map(([, id]) => id));
  for await (const { id } of runConformance(tinyMapper(), { ...subject(), faults: 1 })) {
    assert.ok(caught.has(id) || id === 'DMI-101' || id === 'DMI-602', id);
  }
});

test('a mapper that keeps a kilobyte of each connection is caught by DMI-602', async () => {
  const only = ['DMI-601', 'DMI-602'];
  const leaking = tinyMapper('keeps a buffer per connection');
  const [failed] = await failures(leaking, { ...subject(), faults: 1000 }, only);
  assert.equal(failed?.id, 'DMI-602');
  assert.match(failed.reason ?? '', /KiB behind/);
});

test('a promise that there is not is asked for in vain, aloud', async () => {
  const run = runConformance(tinyMapper(), subject(), ['DMI-201', 'DMI-20']);
  await assert.rejects(run.next(), /there is no promise "DMI-20"/);
});

test('what a subject does not offer is not applicable, with the reason', async () => {
  const { settings, simulator, items } = subject();
  const [, name] = items;
  assert.ok(name);
  const results = new Map<string, Assertion>();
  for await (const each of runConformance(tinyMapper(), {
    settings,
    simulator,
    items: [name],
    faults: 5,
  })) {
    results.set(each.id, each);
  }
  for (const id of ['DMI-204', 'DMI-301', 'DMI-302', 'DMI-303', 'DMI-305', 'DMI-402']) {
    assert.equal(results.get(id)?.result, 'not-applicable', id);
    assert.match(results.get(id)?.reason ?? '', /the subject/);
  }
});

test('a mapper that does not subscribe, or whose device does not, has nothing to promise of it', async () => {
  for (const quirk of ['only polls', 'refuses to subscribe'] as const) {
    const told: Assertion[] = [];
    for await (const each of runConformance(tinyMapper(quirk), { ...subject(), faults: 1 })) {
      const about = each.id.startsWith('DMI-7') || ['DMI-417', 'DMI-433'].includes(each.id);
      if (about) told.push(each);
      else if (each.id !== 'DMI-602') assert.equal(each.result, 'pass', each.reason);
    }
    assert.equal(told.length, 9);
    for (const { result, reason } of told) {
      assert.equal(result, 'not-applicable');
      assert.match(reason ?? '', /the mapper does not subscribe|the device serves no subscription/);
    }
  }
});
