import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { BOILER, BOILER_1, clockAt, FACTS, placeOf, silent, urlOf } from '../testing.ts';
import { MAX_DELETIONS } from './deletions.ts';
import { StoreFailed } from './errors.ts';
import { CloudStore, type Writing } from './store.ts';
import type { Changed } from './touched.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'limpet-store-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const clock = clockAt(Date.UTC(2026, 10, 21));
let file: string;
let files = 0;
beforeEach(() => {
  files += 1;
  file = path.join(folder, `${files}`, 'cloud.db');
});

const open = (at = file): Promise<CloudStore> =>
  CloudStore.open({ path: placeOf(at), clock, log: silent });

test('versions go on above the last one after a restart, also when the clock went back', async () => {
  const first = await open();
  const { version } = await first.commit.run(({ wanted }) => wanted.put('default/boiler', BOILER));
  await first.close();
  const early = await CloudStore.open({ path: placeOf(file), clock: clockAt(0), log: silent });
  assert.ok(early.version() >= version);
  const next = await early.commit.run(({ wanted }) => wanted.put('default/boiler-1', BOILER_1));
  assert.ok(next.version > version);
  await early.close();
});

test('work that throws spoils only itself', async () => {
  const store = await open();
  const outcomes = await Promise.allSettled([
    store.commit.run(({ wanted }) => wanted.put('default/boiler', BOILER)),
    store.commit.run(async ({ wanted }) => {
      await wanted.put('default/boiler-1', BOILER_1);
      throw new Error('no');
    }),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  assert.equal(
    await store.read(({ objects }) => objects.has('DeviceModel', 'default/boiler')),
    true,
  );
  assert.equal(await store.read(({ objects }) => objects.has('Device', 'default/boiler-1')), false);
  await store.close();
});

test('whom a failed transaction touched is told with the next, for it may be there', async () => {
  const store = await open();
  const told: Changed[] = [];
  store.onChange((changed) => told.push(changed));
  const failing = store.commit.run(async ({ wanted }) => {
    await wanted.put('default/boiler-1', BOILER_1);
    throw new StoreFailed('DISK_IO', 'no');
  });
  await assert.rejects(failing, { code: 'DISK_IO' });
  assert.equal(told.length, 0);
  await store.commit.run(async () => undefined);
  assert.deepEqual(
    told.map(({ nodes, resources }) => [nodes, resources.map(({ id }) => id)]),
    [[new Set(['gateway-1']), ['default/boiler-1']]],
  );
  await store.close();
});

// Ten thousand of them, one by one: a matter of minutes where each statement goes to a server.
const skip = urlOf('') !== undefined;
test(
  'the newest deletions are kept, and with older ones the withdrawn desired values go too',
  { skip },
  async () => {
    const store = await open();
    const deleteOne = async ({ wanted }: Writing, index: number): Promise<void> => {
      const id = `default/d-${index}`;
      const doc = { ...BOILER_1, metadata: { name: `d-${index}`, namespace: 'default' } };
      const object = await wanted.put(id, doc);
      const order = { device: id, property: 'pump', node: 'gateway-1', value: true, accepted: 0 };
      await wanted.order(order);
      await wanted.remove(object);
    };
    for (let from = 0; from < MAX_DELETIONS + 5; from += 500) {
      await store.commit.run(async (tx) => {
        for (let index = from; index < Math.min(from + 500, MAX_DELETIONS + 5); index++)
          await deleteOne(tx, index);
      });
    }
    await store.commit.run(async ({ deletions, desired }) => {
      assert.equal(await deletions.get('Device', 'default/d-4'), undefined);
      assert.equal(await desired.get('default/d-4', 'pump'), undefined);
      assert.equal((await deletions.get('Device', 'default/d-5'))?.id, 'default/d-5');
      assert.equal((await desired.get('default/d-5', 'pump'))?.value, null);
    });
    assert.ok((await store.read(({ view }) => view.line())).forgotten > 0);
    await store.close();
  },
);

test('orders newer than a deletion wait for the device and go to its node, unless a user declares it anew', async () => {
  const store = await open();
  await store.commit.run(async ({ wanted, desired, line }) => {
    const id = 'default/boiler-1';
    const elsewhere = { ...BOILER_1, spec: { ...BOILER_1.spec, node: 'gateway-2' } };
    const of = { device: id, node: 'gateway-1', accepted: 0 };
    const values = async () => (await desired.of(id)).map(({ value, node }) => ({ value, node }));
    const older = await wanted.put(id, BOILER_1);
    await wanted.order({ ...of, property: 'pump', value: true });
    const deletion = line.next();
    await wanted.order({ ...of, property: 'setpoint', value: 61 });
    await wanted.remove(older, deletion);
    assert.deepEqual(await values(), [
      { value: null, node: 'gateway-1' },
      { value: 61, node: '*' },
    ]);
    const found = await wanted.put(id, elsewhere, deletion);
    assert.deepEqual(await values(), [
      { value: null, node: 'gateway-2' },
      { value: 61, node: 'gateway-2' },
    ]);
    await wanted.remove(found, deletion);
    await wanted.put(id, elsewhere);
    assert.deepEqual(await values(), [{ value: null, node: 'gateway-2' }]);
  });
  await store.close();
});

test('a node is kept with its facts and streams', async () => {
  const store = await open();
  const node = {
    name: 'n',
    state: 'online',
    lastSeen: 1,
    facts: FACTS,
    epoch: 'e',
    seq: 3,
    stored: 4,
  } as const;
  await store.commit.run(({ nodes }) => nodes.put(node));
  await store.close();
  const again = await open();
  assert.deepEqual(await again.read(({ nodes }) => nodes.get('n')), node);
  await again.close();
});
