import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Device } from '@limpet/dmi/manifest';
import type { Document } from './backend.ts';
import type { Selection } from './selector.ts';
import { parseLabelSelector } from './selector-syntax.ts';
import { device, MemoryBackend, target } from './testing.ts';
import { type WatchEvent, WatchEvents } from './watch-events.ts';

const ALL: Selection = { labels: [], fields: [] };

test('a watch from a version says what was added, modified and deleted since, in order', async () => {
  const backend = new MemoryBackend();
  await put(backend, 'a');
  await put(backend, 'b');
  await put(backend, 'c');
  const since = backend.version();
  await put(backend, 'd');
  backend.remove(target('b'), {});
  await patch(backend, 'a', { spec: { node: 'gateway-2' } });
  assert.deepEqual(said(open(backend, { since })), ['ADDED d', 'DELETED b', 'MODIFIED a']);
});

test('what came and went between two watches is at most said to be gone', async () => {
  const backend = new MemoryBackend();
  const since = backend.version();
  await put(backend, 'a');
  backend.remove(target('a'), {});
  assert.deepEqual(said(open(backend, { since })), ['DELETED a']);
});

test('an object that starts to match is added, one that stops is deleted', async () => {
  const backend = new MemoryBackend();
  await put(backend, 'a', 'north');
  await put(backend, 'b', 'south');
  const watch = open(backend, { selector: 'hall=north' });
  assert.deepEqual(said(watch), ['ADDED a']);
  await patch(backend, 'a', hall('south'));
  await patch(backend, 'b', hall('north'));
  assert.deepEqual(said(watch), ['DELETED a', 'ADDED b']);
  await patch(backend, 'a', { spec: { desired: { x: 1 } } });
  assert.deepEqual(said(watch), []);
  await patch(backend, 'a', hall('north'));
  backend.remove(target('b'), {});
  assert.deepEqual(said(watch), ['ADDED a', 'DELETED b']);
});

test('a resumed watch does not mention what never matched, and says of what may have matched that it is gone', async () => {
  const backend = new MemoryBackend();
  await put(backend, 'never', 'south');
  await put(backend, 'once', 'north');
  const since = backend.version();
  await patch(backend, 'never', { spec: { desired: { x: 1 } } });
  await patch(backend, 'once', hall('south'));
  assert.deepEqual(said(open(backend, { since, selector: 'hall=north' })), ['DELETED once']);
});

test('an object that changed a thousand times while the reader was slow is composed once', async () => {
  const backend = new MemoryBackend();
  await put(backend, 'a');
  const watch = open(backend, {});
  said(watch);
  backend.looks = 0;
  for (let n = 0; n < 1000; n++) await patch(backend, 'a', { spec: { desired: { x: n } } });
  const event = watch.take();
  assert.ok(event !== undefined);
  assert.deepEqual((event.object as Device).spec.desired, { x: 999 });
  assert.equal(watch.take(), undefined);
  assert.equal(backend.looks, 1);
});

test('a bookmark is given only when the reader has everything', async () => {
  const backend = new MemoryBackend();
  const watch = open(backend, {});
  await put(backend, 'a');
  assert.equal(watch.bookmark(), undefined);
  said(watch);
  const bookmark = watch.bookmark();
  assert.equal(bookmark?.object.metadata.resourceVersion, String(backend.version()));
});

test('a version from before the kept deletions, or from the future, is expired', async () => {
  const backend = new MemoryBackend();
  await put(backend, 'a');
  const since = backend.version();
  backend.remove(target('a'), {});
  backend.forgetDeletions();
  const gone = { code: 410, reason: 'Expired' };
  assert.throws(() => open(backend, { since }), gone);
  const future = { ...gone, message: /restored from an older copy/ };
  assert.throws(() => open(backend, { since: backend.version() + 1 }), future);
});

test('a reader too slow for the kept deletions is told, not left with a ghost', async () => {
  const backend = new MemoryBackend();
  await put(backend, 'a');
  const watch = open(backend, {});
  said(watch);
  backend.remove(target('a'), {});
  backend.forgetDeletions();
  assert.throws(() => watch.take(), { code: 410 });
});

test('a stopped watch listens no more', async () => {
  const backend = new MemoryBackend();
  const watch = open(backend, {});
  assert.equal(backend.listeners(), 1);
  watch.stop();
  assert.equal(backend.listeners(), 0);
  await put(backend, 'a');
  assert.equal(watch.take(), undefined);
});

test('an object deleted and made anew out of sight, no longer matching, is gone for the reader', async () => {
  const backend = new MemoryBackend();
  await put(backend, 'a', 'north');
  const since = backend.version();
  backend.remove(target('a'), {});
  await put(backend, 'a', 'south');
  assert.deepEqual(said(open(backend, { since, selector: 'hall=north' })), ['DELETED a']);
});

/** One thing that happens in a life: to an object, to the reader, or to the connection. */
const STEP = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      name: fc.integer({ min: 0, max: 4 }),
      north: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('remove' as const),
      name: fc.integer({ min: 0, max: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      count: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reconnect' as const) }) },
);

for (const selector of ['', 'hall=north']) {
  test(`a reader that reconnects from its last version ends up with the truth (${selector || 'everything'})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { maxLength: 60 }), async (steps) => {
        const backend = new MemoryBackend();
        await put(backend, 'n-0', 'north');
        const held = new Map<string, string | undefined>();
        let since: number | undefined;
        let watch = open(backend, { since, selector });
        const read = (): boolean => {
          const event = watch.take();
          if (event === undefined) return false;
          since = apply(held, event);
          return true;
        };
        for (const step of steps) {
          if (step.do === 'write')
            await put(backend, `n-${step.name}`, step.north ? 'north' : 'south');
          if (step.do === 'remove') removeIfThere(backend, `n-${step.name}`);
          if (step.do === 'read') for (let n = 0; n < step.count; n++) read();
          if (step.do === 'reconnect') {
            watch.stop();
            watch = open(backend, { since, selector });
          }
        }
        while (read());
        assert.deepEqual(sorted(held), sorted(truth(backend, selector)));
      }),
      { numRuns: 400 },
    );
  });
}

function open(
  backend: MemoryBackend,
  { since, selector = '' }: { since?: number | undefined; selector?: string },
): WatchEvents {
  const selection = { ...ALL, labels: parseLabelSelector(selector) };
  const query = { kind: 'Device', selection } as const;
  return new WatchEvents({ backend, query, since, wake: () => {} });
}

function said(watch: WatchEvents): string[] {
  const events: string[] = [];
  for (let event = watch.take(); event !== undefined; event = watch.take()) {
    events.push(`${event.type} ${(event.object as Device).metadata.name}`);
  }
  return events;
}

function apply(held: Map<string, string | undefined>, { type, object }: WatchEvent): number {
  const { name, resourceVersion } = (object as Device).metadata;
  if (type === 'DELETED') held.delete(name);
  else held.set(name, resourceVersion);
  return Number(resourceVersion);
}

function truth(backend: MemoryBackend, selector: string): Map<string, string | undefined> {
  const selection = { ...ALL, labels: parseLabelSelector(selector) };
  const { items } = backend.list({ kind: 'Device', selection }, { limit: 100 });
  return new Map(items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
}

function sorted(held: Map<string, string | undefined>): unknown {
  return [...held].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

async function put(backend: MemoryBackend, name: string, where = 'north'): Promise<void> {
  const doc = device(name, { labels: { hall: where } }) as unknown as Document;
  const present = backend.look('Device', `default/${name}`)?.state === 'present';
  await (present ? backend.replace(target(name), doc) : backend.create(target(name), doc));
}

async function patch(backend: MemoryBackend, name: string, change: Document): Promise<void> {
  await backend.patch(target(name), change, {});
}

function removeIfThere(backend: MemoryBackend, name: string): void {
  if (backend.look('Device', `default/${name}`)?.state === 'present')
    backend.remove(target(name), {});
}

function hall(where: string): Document {
  return { metadata: { labels: { hall: where } } };
}
