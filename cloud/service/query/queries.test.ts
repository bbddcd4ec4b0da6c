import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '@limpet/dmi';
import { ApiError, type QueryResult, type Status } from '#protocol/api';
import { startCloud } from '../main.ts';
import { CloudStore } from '../store/store.ts';
import { BOILER, BOILER_1, placeOf, silent, urlOf } from '../testing.ts';
import { openQueries } from './open.ts';
import type { QuerySettings } from './settings.ts';
import { Queries } from './queries.ts';
import { EngineWorker, type Worker } from './workers.ts';

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};

function folder(t: TestContext): string {
  const made = mkdtempSync(path.join(tmpdir(), 'limpet-query-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

async function cloud(t: TestContext) {
  const data = folder(t);
  const url = urlOf(data);
  const where = url === undefined ? { data } : { store: url };
  const service = await startCloud({ ...where, listen: '127.0.0.1:0', log: silent });
  t.after(() => service.close());
  const send = async (method: string, where: string, body?: unknown) => {
    const response = await fetch(`${service.url}/apis/limpet.dev/v1/${where}`, {
      method,
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }),
    });
    return { code: response.status, body: (await response.json()) as unknown };
  };
  await send('POST', 'namespaces/default/devicemodels', BOILER);
  const { body } = await send('POST', 'namespaces/default/devices', BOILER_1);
  return { send, device: body as { metadata: { resourceVersion: string } } };
}

test('a query is answered over HTTP, knows of the write whose token it is given, and says what is wrong and where', async (t) => {
  const { send, device } = await cloud(t);
  const query =
    "SELECT device, desired.setpoint AS wanted, verdict(setpoint), temperature, labels.hall FROM devices WHERE model = 'boiler'";
  const after = device.metadata.resourceVersion;
  const { code, body } = await send('POST', 'query', { query, after });
  const { columns, rows, metadata } = body as QueryResult;
  assert.equal(code, 200, JSON.stringify(body));
  assert.deepEqual(rows, [['default/boiler-1', 55, 'pending', null, 'north']]);
  assert.deepEqual(columns[3], { name: 'temperature', type: 'number', unit: 'Cel' });
  assert.ok(Number(metadata.resourceVersion) >= Number(after));
  const got = await send('GET', `query?query=${encodeURIComponent(query)}`);
  assert.deepEqual((got.body as QueryResult).rows, rows);

  const wrong = await send('POST', 'query', {
    query: 'SELECT device\nFROM devices WHERE temprature > 80',
  });
  assert.equal(wrong.code, 400);
  const [cause] = (wrong.body as Status).details?.causes ?? [];
  assert.equal(cause?.reason, 'QUERY_NAME');
  assert.deepEqual(
    [cause?.line, cause?.column, cause?.length, cause?.suggestion],
    [2, 20, 10, 'temperature'],
  );

  const plan = await send('POST', 'query', { query: `EXPLAIN ${query}` });
  assert.match(JSON.stringify(plan.body), /objects_model of boiler/);
  const update = "EXPLAIN UPDATE devices SET desired.setpoint = 60 WHERE model = 'boiler'";
  const how = await send('POST', 'query', { query: update });
  assert.match(JSON.stringify(how.body), /"kind":"QueryPlan".*objects_model of boiler/);
  const begun = await send('GET', 'rollouts');
  assert.deepEqual((begun.body as { readonly items: unknown }).items, []);
});

test('pages go on where they ended, and a token of another query is refused', async (t) => {
  const { send } = await cloud(t);
  for (let index = 0; index < 3; index++) {
    const name = `boiler-x${index}`;
    await send('POST', 'namespaces/default/devices', { ...BOILER_1, metadata: { name } });
  }
  const query = 'SELECT name FROM devices ORDER BY name LIMIT 2';
  const { body } = await send('POST', 'query', { query });
  assert.deepEqual((body as QueryResult).rows, [['boiler-1'], ['boiler-x0']]);
  assert.equal((body as QueryResult).metadata.continue, undefined);
  const other = await send('POST', 'query', { query, continue: 'bm8' });
  assert.equal((other.body as Status).details?.causes?.[0]?.reason, 'QUERY_CURSOR');
});

async function queriesOn(t: TestContext, settings: Partial<QuerySettings>) {
  const file = path.join(folder(t), 'cloud.db');
  const place = placeOf(file);
  const store = await CloudStore.open({ path: place, clock, log: silent });
  const sqlite = typeof place === 'string' ? place : undefined;
  const queries = openQueries({ store, path: sqlite, clock, log: silent, settings });
  t.after(async () => {
    await queries.close();
    await store.close();
  });
  return { queries, store };
}

const never = new AbortController().signal;

test('what would cost more than the ceiling is refused before it runs', async (t) => {
  const { queries } = await queriesOn(t, { costCeiling: -1 });
  await assert.rejects(
    Promise.resolve(queries.answer({ query: 'SELECT device FROM devices' }, never)),
    (error) => {
      return error instanceof ApiError && error.details.causes?.[0]?.reason === 'QUERY_TOO_COSTLY';
    },
  );
});

test('what names a device, a node or a property is not taken for a look at all of them', async (t) => {
  const { queries, store } = await queriesOn(t, { costCeiling: 11 });
  await store.commit.run(async ({ wanted, names, mirrors }) => {
    const [temperature = 0, setpoint = 0] = [
      await names.number('temperature'),
      await names.number('setpoint'),
    ];
    const reported = { value: 20, at: 1, quality: 'good' } as const;
    for (let index = 0; index < 12; index++) {
      const name = `boiler-${index}`;
      const metadata = { name, namespace: 'default' };
      const spec = { ...BOILER_1.spec, node: `gateway-${index}` };
      const { n } = await wanted.put(`default/${name}`, { ...BOILER_1, metadata, spec });
      await mirrors.put([[{ dev: n, prop: temperature }, { reported }]]);
      if (index < 2) await mirrors.put([[{ dev: n, prop: setpoint }, { reported }]]);
    }
  });
  const ask = async (query: string) => {
    const answer = await queries.answer({ query }, never);
    return answer.kind === 'QueryResult' ? answer.rows.length : -1;
  };
  for (const query of ['SELECT device FROM devices', 'SELECT device, value FROM properties']) {
    await assert.rejects(ask(query), { reason: 'BadRequest' });
  }
  const found = [
    await ask("SELECT device, labels.hall, state FROM devices WHERE device = 'default/boiler-3'"),
    await ask("SELECT device, labels.hall FROM devices WHERE node IN ('gateway-3', 'gateway-4')"),
    await ask(
      "SELECT property, value, labels.hall FROM properties WHERE device = 'default/boiler-1'",
    ),
    await ask("SELECT device, value FROM properties WHERE property = 'setpoint' AND value > 1"),
  ];
  assert.deepEqual(found, [1, 2, 2, 2]);
});

test('a slow query is kept with its plan', async (t) => {
  const { queries } = await queriesOn(t, { slowMs: 0, slowKept: 1 });
  await queries.answer({ query: 'SELECT name FROM devices' }, never);
  await queries.answer({ query: 'SELECT node FROM nodes' }, never);
  const { items } = queries.slow();
  assert.deepEqual(
    items.map(({ query, rows }) => [query, rows]),
    [['SELECT node FROM nodes', 0]],
  );
  assert.ok((items[0]?.plan.length ?? 0) > 0);
});

/** Answers when it is told to, and never otherwise. */
class SlowWorker implements Worker {
  asked = 0;

  start(): void {}

  rest(): Promise<unknown> {
    return Promise.resolve();
  }

  ask(_request: unknown, signal: AbortSignal): Promise<never> {
    this.asked += 1;
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  }

  close(): void {}
}

/** One runs, and one more may wait. */
function oneAtATime(worker: Worker, after: Clock['after']): Queries {
  return new Queries({
    clock: { ...clock, after },
    log: silent,
    worker: () => worker,
    version: () => 0,
    onChange: () => () => undefined,
    durable: () => Promise.resolve(),
    settings: { running: 1, waiting: 1 },
  });
}

test('who goes away while waiting makes room at once for the next', async () => {
  const worker = new SlowWorker();
  const queries = oneAtATime(worker, () => () => undefined);
  const query = 'SELECT device FROM devices';
  const [runs, waits, next] = [1, 2, 3].map(() => new AbortController());
  const first = queries.answer({ query }, runs?.signal ?? never);
  const second = queries.answer({ query }, waits?.signal ?? never);
  waits?.abort();
  await assert.rejects(second, { reason: 'Timeout' });
  const third = queries.answer({ query }, next?.signal ?? never);
  await new Promise(setImmediate);
  assert.equal(worker.asked, 1);
  runs?.abort();
  await assert.rejects(first, { reason: 'Timeout' });
  await new Promise(setImmediate);
  assert.equal(worker.asked, 2, 'the third got the place of the second');
  next?.abort();
  await assert.rejects(third, { reason: 'Timeout' });
  assert.deepEqual(queries.slow().items, [], 'whoever leaves early has seen nothing slow');
});

test('on PostgreSQL a query that nobody waits for keeps its place until the server has ended it', async () => {
  const ends: (() => void)[] = [];
  const read = () => {
    return new Promise<never>((_, reject) => ends.push(() => reject(new Error('canceled'))));
  };
  const worker = new EngineWorker(read, { costCeiling: 1, slowMs: 1 });
  const queries = oneAtATime(worker, () => () => undefined);
  const query = 'SELECT device FROM devices';
  const gone = new AbortController();
  const [first, second] = [
    queries.answer({ query }, gone.signal),
    queries.answer({ query }, never),
  ];
  await new Promise(setImmediate);
  gone.abort();
  await assert.rejects(first, { reason: 'Timeout' });
  await new Promise(setImmediate);
  assert.equal(ends.length, 1);
  ends[0]?.();
  await new Promise(setImmediate);
  assert.equal(ends.length, 2);
  ends[1]?.();
  await assert.rejects(second, /canceled/);
});

test('so many run, so many wait, and one more is turned away; one that runs too long is stopped', async () => {
  const due: (() => void)[] = [];
  const worker = new SlowWorker();
  const queries = oneAtATime(worker, (_, task) => (due.push(task), () => undefined));
  const query = 'SELECT device FROM devices';
  const [first, second] = [queries.answer({ query }, never), queries.answer({ query }, never)];
  await assert.rejects(queries.answer({ query }, never), { reason: 'TooManyRequests' });
  await new Promise(setImmediate);
  assert.equal(worker.asked, 1);
  due[0]?.();
  await assert.rejects(first, { reason: 'Timeout' });
  await new Promise(setImmediate);
  assert.equal(worker.asked, 2);
  due[1]?.();
  await assert.rejects(second, { reason: 'Timeout' });
  assert.equal(queries.slow().items.length, 2);
  const { ended, running, waiting } = queries.counts();
  assert.deepEqual([ended.stopped, ended.turned_away, running, waiting], [2, 1, 0, 0]);
});
