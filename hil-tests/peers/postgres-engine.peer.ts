/** The store's engine on a real PostgreSQL: what is acknowledged stays, what is not says so, and it comes back by itself. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { until } from '../rig/until.ts';
import { Bench, ids, store, thing, type Thing, THINGS } from './postgres-things.ts';

let bench: Bench;
before(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.clear());
after(() => bench.stop());

test('what was committed is read as it was written, odd texts and numbers included', async () => {
  const engine = await bench.open();
  const odd = ['', '"', '\\', '{}', 'NULL', 'a,b', "'", 'grün 🛢', '\n', '$1', 'Z', 'a'];
  const all = odd.map((id, place) =>
    thing(id, [0.1, 0, 1e300, 5e-324][place % 4], [2 ** 53 - 1, -1][place % 2]),
  );
  await store(engine, ...all);
  await store(engine, ...all.map((one) => ({ ...one, many: 7 })), thing('a\0b\ud800'));
  const found = await engine.read((sql) =>
    sql.find(THINGS, [...odd.map((id) => [id]), ['gone'], ['a\0b\ud800']]),
  );
  const expected = [...all.map((one) => ({ ...one, many: 7 })), thing('a\u{fffd}b\u{fffd}')];
  const sorted = (things: readonly Thing[]) => things.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(sorted(found), sorted(expected));
  const inOrder = [...odd, 'a\u{fffd}b\u{fffd}'].toSorted((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  assert.deepEqual(await ids(engine), inOrder);
  const [row] = await engine.read((sql) =>
    sql.all('SELECT count(*) AS n, 1 = 1 AS yes, 1 = 2 AS no, sum(many) AS total FROM things'),
  );
  assert.deepEqual(row, { n: 13, yes: 1, no: 0, total: 84 });
});

test('whoever reads sees what is committed, all of one moment, and cannot write', async () => {
  const engine = await bench.open();
  await store(engine, thing('a'));
  await engine.writer.begin();
  await engine.writer.put(THINGS, [thing('b')]);
  assert.deepEqual(await ids(engine), ['a']);
  await engine.read(async (sql) => {
    const count = async () => (await sql.all<Thing>('SELECT * FROM things')).length;
    assert.equal(await count(), 1);
    await engine.writer.commit();
    assert.equal(await count(), 1);
  });
  assert.deepEqual(await ids(engine), ['a', 'b']);
  await assert.rejects(
    engine.read((sql) => sql.run('DELETE FROM things')),
    /read-only/,
  );
  assert.deepEqual(await ids(engine), ['a', 'b']);
});

test('more readers than connections wait for one, and none is left in a transaction', async () => {
  const engine = await bench.open();
  const all = await Promise.all(Array.from({ length: 50 }, () => ids(engine)));
  assert.equal(all.length, 50);
  await assert.rejects(
    engine.read((sql) => sql.all('SELECT 1 / 0')),
    /division/,
  );
  assert.equal(engine.counts().readers, 4);
  assert.equal(engine.counts().waiting, 0);
  const busy = `SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'limpet%' AND state LIKE 'idle in%'`;
  await until(() => (bench.server.sql(busy) === '0' ? undefined : 'a transaction is open'));
});

test('work that fails spoils only itself, also when it hides that it failed', async () => {
  const engine = await bench.open();
  const { writer } = engine;
  await writer.begin();
  await writer.savepoint();
  await writer.put(THINGS, [thing('first')]);
  await writer.release();
  await writer.savepoint();
  await writer.put(THINGS, [thing('spoiled')]);
  await assert.rejects(writer.run("INSERT INTO things (id) VALUES ('first')"), { code: '23505' });
  await assert.rejects(writer.release(), { code: '23505' });
  await writer.back();
  await writer.release();
  await writer.savepoint();
  await writer.put(THINGS, [thing('last')]);
  await writer.release();
  await writer.commit();
  assert.deepEqual(await ids(engine), ['first', 'last']);
});

test('rows that are refused are the fault of the work that put them', async () => {
  const engine = await bench.open();
  const { writer } = engine;
  await writer.begin();
  for (const things of [[thing('first')], [thing('twice'), thing('twice')], [thing('last')]]) {
    await writer.savepoint();
    await writer.put(THINGS, things);
    if (things.length === 1) await writer.release();
    else {
      await assert.rejects(writer.release(), { code: '21000' });
      await writer.back();
      await writer.release();
    }
  }
  await writer.commit();
  assert.deepEqual(await ids(engine), ['first', 'last']);
});

test('rows that are refused after their work has given up spoil nothing of others', async () => {
  const engine = await bench.open();
  const { writer } = engine;
  await writer.begin();
  await writer.savepoint();
  await writer.put(THINGS, [thing('twice'), thing('twice')]);
  await writer.back();
  await writer.release();
  await writer.savepoint();
  await writer.put(THINGS, [thing('last')]);
  await writer.release();
  await writer.commit();
  assert.deepEqual(await ids(engine), ['last']);
});

test('a commit that the server turned into a rollback is none', async () => {
  const engine = await bench.open();
  const { writer } = engine;
  await writer.begin();
  await writer.put(THINGS, [thing('lost')]);
  // Nobody waits for this one; its failure is known only when COMMIT is answered.
  const ignored = writer.run('SELECT 1 / 0').catch(() => undefined);
  await assert.rejects(writer.commit(), /rolled a transaction back|division/);
  await ignored;
  await writer.rollback();
  await store(engine, thing('kept'));
  assert.deepEqual(await ids(engine), ['kept']);
});

for (const how of ['its backend is ended', 'the server is killed and started again'] as const) {
  test(`when ${how} nothing in flight counts, and writing goes on by itself`, async () => {
    const engine = await bench.open();
    await store(engine, thing('before'));
    await ids(engine);
    await engine.writer.begin();
    await engine.writer.put(THINGS, [thing('in flight')]);
    if (how === 'its backend is ended') {
      bench.server.sql(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'limpet cloud%'`,
      );
    } else await bench.server.kill();
    const failure = await engine.writer.commit().then(
      () => undefined,
      (error: unknown) => engine.refusal(error),
    );
    assert.equal(failure?.code, 'STORE_AWAY');
    await engine.writer.rollback();
    if (!bench.server.running) {
      await assert.rejects(engine.writer.begin(), { code: 'STORE_AWAY' });
      const read = await ids(engine).catch((error: unknown) => engine.refusal(error));
      assert.ok(read && 'code' in read && read.code === 'STORE_AWAY');
      await bench.server.restart();
    }
    await until(async () => {
      try {
        await store(engine, thing('after'));
        return undefined;
      } catch (error) {
        await engine.writer.rollback();
        return String(error);
      }
    });
    assert.deepEqual(await ids(engine), ['after', 'before']);
    assert.equal(engine.counts().reconnects, 1);
    const logged = ['database lost', 'database back'].map((message) => bench.logged(message));
    assert.deepEqual(logged, [1, 1]);
  });
}

test('a server that keeps silent is left, and its lock taken from our own dead connection', async () => {
  const engine = await bench.open(undefined, {
    limits: { write: 60_000, read: 60_000, answer: -59_500 },
  });
  await store(engine, thing('before'));
  const pid = Number(bench.server.sql(`SELECT pid FROM pg_locks WHERE locktype = 'advisory'`));
  process.kill(pid, 'SIGSTOP');
  await engine.writer.begin();
  await engine.writer.put(THINGS, [thing('never')]);
  await assert.rejects(engine.writer.commit(), /no answer for/);
  await engine.writer.rollback();
  process.kill(pid, 'SIGCONT');
  await until(async () => (engine.counts().reconnects === 1 ? undefined : 'not back'));
  await store(engine, thing('after'));
  assert.deepEqual(await ids(engine), ['after', 'before']);
});

test('whoever comes back to a database that somebody else wrote meanwhile stops writing', async () => {
  const { url, schema } = bench.fresh();
  const engine = await bench.open(url);
  bench.server.sql(`UPDATE "${schema}".limpet_store SET owner = 'another'`);
  bench.server.sql(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`);
  await until(async () => {
    const error: unknown = await engine.writer.begin().then(
      () => undefined,
      (failure: unknown) => failure,
    );
    await engine.writer.rollback();
    const failure = engine.refusal(error);
    return failure?.code === 'STORE_TAKEN' ? undefined : String(error);
  });
  assert.ok(bench.said.includes('lost STORE_TAKEN'), 'it is told to end');
  await engine.close();
  await (await bench.open(url)).close();
});
