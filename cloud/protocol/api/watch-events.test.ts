import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Device } from '@limpet/dmi/manifest';
import type { Document } from './backend.ts';
import type { Selection } from './selector.ts';
import { parseLabelSelector } from './selector-syntax.ts';
import { ApiError } from './status.ts';
import { device, MemoryBackend, target } from './testing.ts';
import { type WatchEvent, WatchEvents } from './watch-events.ts';

const ALL: Selection = { labels: [], fields: [] };

test('a watch from a version says what was added, modified and deleted since, in order', async () => {
  const backend = new MemoryBackend();
  put(backend, 'a');
  put(backend, 'b');
  put(backend, 'c');
  const since = backend.version();
  put(backend, 'd');
  backend.remove(target('b'), {});
  patch(backend, 'a', { spec: { node: 'gateway-2' } });
  assert.deepEqual(await said(open(backend, { since })), ['ADDED d', 'DELETED b', 'MODIFIED a']);
});

test('what came and went between two watches is at most said to be gone', async () => {
  const backend = new MemoryBackend();
  const since = backend.version();
  put(backend, 'a');
  backend.remove(target('a'), {});
  assert.deepEqual(await said(open(backend, { since })), ['DELETED a']);
});

test('an object that starts to match is added, one that stops is deleted', async () => {
  const backend = new MemoryBackend();
  put(backend, 'a', 'north');
  put(backend, 'b', 'south');
  const watch = open(backend, { selector: 'hall=north' });
  assert.deepEqual(await said(watch), ['ADDED a']);
  patch(backend, 'a', hall('south'));
  patch(backend, 'b', hall('north'));
  assert.deepEqual(await said(watch), ['DELETED a', 'ADDED b']);
  patch(backend, 'a', { spec: { desired: { x: 1 } } });
  assert.deepEqual(await said(watch), []);
  patch(backend, 'a', hall('north'));
  backend.remove(target('b'), {});
  assert.deepEqual(await said(watch), ['ADDED a', 'DELETED b']);
});

test('a resumed watch does not mention what never matched, and says of what may have matched that it is gone', async () => {
  const backend = new MemoryBackend();
  put(backend, 'never', 'south');
  put(backend, 'once', 'north');
  const since = backend.version();
  patch(backend, 'never', { spec: { desired: { x: 1 } } });
  patch(backend, 'once', hall('south'));
  assert.deepEqual(await said(open(backend, { since, selector: 'hall=north' })), ['DELETED once']);
});

test('an object that changed a thousand times while the reader was slow is composed once', async () => {
  const backend = new MemoryBackend();
  put(backend, 'a');
  const watch = open(backend, {});
  await said(watch);
  backend.sights = 0;
  for (let n = 0; n < 1000; n++) patch(backend, 'a', { spec: { desired: { x: n } } });
  const event = await next(watch);
  assert.ok(event !== undefined);
  assert.deepEqual((event.object as Device).spec.desired, { x: 999 });
  assert.equal(watch.take(), undefined);
  assert.equal(backend.sights, 1);
});

test('a bookmark is given only when the reader has everything', async () => {
  const backend = new MemoryBackend();
  const watch = open(backend, {});
  put(backend, 'a');
  assert.equal(watch.bookmark(), undefined);
  await said(watch);
  const bookmark = watch.bookmark();
  assert.equal(bookmark?.object.metadata.resourceVersion, String(backend.version()));
});

test('a version from before the kept deletions, or from the future, is expired', async () => {
  const backend = new MemoryBackend();
  put(backend, 'a');
  const since = backend.version();
  backend.remove(target('a'), {});
  backend.forgetDeletions();
  const gone = { code: 410, reason: 'Expired' };
  await assert.rejects(open(backend, { since }).read(), gone);
  const future = { ...gone, message: /restored from an older copy/ };
  await assert.rejects(open(backend, { since: backend.version() + 1 }).read(), future);
});

test('a reader too slow for the kept deletions is told, not left with a ghost', async () => {
  const backend = new MemoryBackend();
  put(backend, 'a');
  const watch = open(backend, {});
  await said(watch);
  backend.remove(target('a'), {});
  backend.forgetDeletions();
  await assert.rejects(watch.read(), { code: 410 });
});

test('a watch from the start is not spoilt by deletions that were forgotten before it, nor by those of others', async () => {
  const backend = new MemoryBackend();
  for (const name of ['a', 'b', 'c', 'd']) put(backend, name);
  backend.remove(target('d'), {});
  backend.forgetDeletions();
  const watch = open(backend, { most: 1 });
  assert.deepEqual(await said(watch), ['ADDED a', 'ADDED b', 'ADDED c']);
  put(backend, 'e');
  await said(watch);
  backend.forgetDeletions();
  assert.deepEqual(await said(watch), []);
});

test('what a reader does not take is read again when it does', async () => {
  const backend = new MemoryBackend();
  for (const name of ['a', 'b', 'c']) put(backend, name);
  const watch = open(backend, {});
  assert.equal((await next(watch))?.type, 'ADDED');
  watch.release();
  assert.equal(watch.bookmark(), undefined);
  patch(backend, 'b', { spec: { desired: { x: 1 } } });
  backend.remove(target('c'), {});
  assert.deepEqual(await said(watch), ['ADDED b']);
  assert.equal(watch.bookmark()?.object.metadata.resourceVersion, String(backend.version()));
});

test('an object deleted and made anew out of sight, no longer matching, is gone for the reader', async () => {
  const backend = new MemoryBackend();
  put(backend, 'a', 'north');
  const since = backend.version();
  backend.remove(target('a'), {});
  put(backend, 'a', 'south');
  assert.deepEqual(await said(open(backend, { since, selector: 'hall=north' })), ['DELETED a']);
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
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const) }) },
);

for (const selector of ['', 'hall=north']) {
  test(`a reader that reconnects from its last version ends up with the truth (${selector || 'everything'})`, async () => {
    const lives = fc.tuple(fc.array(STEP, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }));
    await fc.assert(
      fc.asyncProperty(lives, async ([steps, most]) => {
        const backend = new MemoryBackend();
        put(backend, 'n-0', 'north');
        const reader = new Reader(backend, selector, most);
        for (const step of steps) {
          if (step.do === 'write') put(backend, `n-${step.name}`, step.north ? 'north' : 'south');
          if (step.do === 'remove') removeIfThere(backend, `n-${step.name}`);
          if (step.do === 'read') for (let n = 0; n < step.count; n++) await reader.read();
          if (step.do === 'pause') reader.watch.release();
          if (step.do === 'forget') backend.forgetDeletions();
          if (step.do === 'reconnect') reader.open();
        }
        while (await reader.read());
        assert.deepEqual(sorted(reader.held), sorted(truth(backend, selector)));
      }),
      { numRuns: 600 },
    );
  });
}

/** What an informer does: holds what it is told, resumes from the last version it read, lists again when told to. */
class Reader {
  readonly held = new Map<string, string | undefined>();
  readonly #backend: MemoryBackend;
  readonly #selector: string;
  readonly #most: number;
  #since: number | undefined;
  watch: WatchEvents;

  constructor(backend: MemoryBackend, selector: string, most: number) {
    this.#backend = backend;
    this.#selector = selector;
    this.#most = most;
    this.watch = this.open();
  }

  open(): WatchEvents {
    const [since, selector, most] = [this.#since, this.#selector, this.#most];
    return (this.watch = open(this.#backend, { since, selector, most }));
  }

  /** One event, and the bookmark when there is none; false when everything is read. */
  async read(): Promise<boolean> {
    try {
      const event = await next(this.watch);
      if (event !== undefined) this.#since = apply(this.held, event);
      else this.#since = Number(this.watch.bookmark()?.object.metadata.resourceVersion);
      return event !== undefined;
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 410) throw error;
      this.held.clear();
      this.#since = this.#backend.version();
      for (const [name, version] of truth(this.#backend, this.#selector)) {
        this.held.set(name, version);
      }
      this.open();
      return true;
    }
  }
}

function open(
  backend: MemoryBackend,
  { since, selector = '', most }: { since?: number | undefined; selector?: string; most?: number },
): WatchEvents {
  const selection = { ...ALL, labels: parseLabelSelector(selector) };
  const query = { kind: 'Device', selection } as const;
  return new WatchEvents({ backend, query, since, ...(most !== undefined && { most }) });
}

/** Everything it has to say now. */
async function said(watch: WatchEvents): Promise<string[]> {
  const events: string[] = [];
  for (let event = await next(watch); event !== undefined; event = await next(watch)) {
    events.push(`${event.type} ${(event.object as Device).metadata.name}`);
  }
  return events;
}

async function next(watch: WatchEvents): Promise<WatchEvent | undefined> {
  const event = watch.take();
  if (event !== undefined) return event;
  do {
    await watch.read();
    const read = watch.take();
    if (read !== undefined) return read;
  } while (watch.behind);
  return undefined;
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

function put(backend: MemoryBackend, name: string, where = 'north'): void {
  const doc = device(name, { labels: { hall: where } }) as unknown as Document;
  const present = backend.look('Device', `default/${name}`)?.state === 'present';
  if (present) backend.replace(target(name), doc);
  else backend.create(target(name), doc);
}

function patch(backend: MemoryBackend, name: string, change: Document): void {
  backend.patch(target(name), change);
}

function removeIfThere(backend: MemoryBackend, name: string): void {
  if (backend.look('Device', `default/${name}`)?.state === 'present')
    backend.remove(target(name), {});
}

function hall(where: string): Document {
  return { metadata: { labels: { hall: where } } };
}
