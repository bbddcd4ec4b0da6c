import { type Connection } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../kernel/clock.ts';
import { MapperFolder, reading, source, until } from './folder.fixture.ts';
import { type MapperHost } from './host.ts';

const signal = (): AbortSignal => AbortSignal.timeout(10_000);

async function connect(host: MapperHost, protocol = 'knock'): Promise<Connection<unknown>> {
  const mapper = await host.mapper(protocol);
  const context = {
    device: 'default/one',
    clock: systemClock,
    log: silentLog(),
    dial: () => assert.fail(),
  };
  return mapper.connect({}, context, signal());
}

async function read(connection: Connection<unknown>, key = ''): Promise<unknown> {
  const [answer] = await connection.read([{ key }], signal());
  return answer?.ok === true ? answer.value : answer?.error;
}

function statusOf(host: MapperHost, protocol = 'knock') {
  const status = host.status().find((each) => each.protocol === protocol);
  assert.ok(status);
  return status;
}

test('a mapper of the folder starts in a process of its own when it is first needed', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('knock', source({ connect: reading('process.pid') }));
  const host = await folder.open(t);
  assert.equal(statusOf(host).state, 'idle');
  const connection = await connect(host);
  const pid = await read(connection);
  assert.notEqual(pid, process.pid);
  const { state, hosting, version, budgetBytes, restarts } = statusOf(host);
  assert.deepEqual([state, hosting, version, restarts], ['ready', 'process', '1.0.0', 0]);
  assert.equal(statusOf(host).pid, pid);
  assert.equal(budgetBytes, 64 * 2 ** 20);
  assert.deepEqual(folder.replaced, []);
});

test('terms for a mapper that is not there are said once, however often anything is installed', async (t) => {
  const folder = new MapperFolder(t);
  const host = await folder.open(t, {
    terms: { mapperFolder: folder.mappers, mappers: { zebra: { importance: 3 } } },
  });
  await host.refresh();
  await host.refresh();
  const said = folder.log.lines.filter(({ message }) => message.includes('has terms for'));
  assert.deepEqual(
    said.map(({ fields }) => fields),
    [{ protocol: 'zebra' }],
  );
});

test('a mapper that exits comes back, and says why it went; its devices plan again', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('knock', source({ connect: reading("key === 'die' ? process.exit(3) : 'fine'") }));
  folder.write('calm', source({ protocol: 'calm', connect: reading("'calm'") }));
  const host = await folder.open(t, { random: () => 0 });
  const [connection, other] = [await connect(host), await connect(host, 'calm')];
  await assert.rejects(read(connection, 'die'), { name: 'Unreachable', code: 'MAPPER_DOWN' });
  await until('restarting', () => statusOf(host).state === 'restarting');
  const { reason } = statusOf(host);
  assert.deepEqual([reason?.code, reason?.message], ['MAPPER_EXITED', 'it ended with exit code 3']);
  // While it is down whoever asks learns the name, the reason and what comes next.
  await assert.rejects(host.mapper('knock'), {
    name: 'Unreachable',
    code: 'MAPPER_DOWN',
    message: /"knock" has ended: it ended with exit code 3 \(it is started again in a moment\)/,
  });
  await until('told', () => folder.replaced.length === 1);
  assert.equal(await read(await connect(host)), 'fine');
  assert.equal(statusOf(host).restarts, 1);
  // The other mapper's device never noticed.
  assert.equal(await read(other), 'calm');
  assert.deepEqual(folder.replaced, ['knock']);
});

test('a mapper that blocks its event loop is killed and starts again', async (t) => {
  const folder = new MapperFolder(t);
  folder.write(
    'knock',
    source({ connect: reading("key === 'spin' ? (() => { for (;;); })() : 'fine'") }),
  );
  const host = await folder.open(t, { random: () => 0 });
  const connection = await connect(host);
  await assert.rejects(read(connection, 'spin'), { code: 'MAPPER_DOWN' });
  await until('restarting', () => statusOf(host).state === 'restarting');
  assert.equal(statusOf(host).reason?.code, 'MAPPER_UNRESPONSIVE');
  await until('back', () => statusOf(host).state === 'ready');
  assert.ok(
    folder.log.lines.some(
      ({ message, fields }) => message === 'mapper killed' && fields['protocol'] === 'knock',
    ),
  );
});

test('a changed file takes over without a moment in which there is no mapper', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('knock', source({ connect: reading("'old'") }));
  const host = await folder.open(t);
  const old = await connect(host);
  const file = path.join(folder.mappers, 'knock', 'mapper.js');
  const changed = readFileSync(file, 'utf8').replace("'old'", "'new'");
  // An editor that saves twice.
  writeFileSync(file, changed.slice(0, 100));
  writeFileSync(file, changed);
  let gaps = 0;
  await until('replaced', () => {
    if (statusOf(host).state !== 'ready') gaps += 1;
    return folder.replaced.length === 1;
  });
  assert.equal(gaps, 0);
  // The old process goes on until its devices have left it.
  assert.equal(await read(old), 'old');
  assert.equal(await read(await connect(host)), 'new');
  await assert.rejects(
    async () => {
      for (;;) await read(old);
    },
    { code: 'MAPPER_DOWN' },
  );
  assert.equal(statusOf(host).restarts, 0);
});

test('a new version that is broken leaves the old one running, and says so', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('knock', source({ connect: reading("'old'") }));
  const host = await folder.open(t);
  const connection = await connect(host);
  folder.write('knock', 'export default 5;', {}, '2.0.0');
  await until('told', () => statusOf(host).reason !== undefined);
  const { state, reason, version } = statusOf(host);
  assert.deepEqual([state, version, reason?.code], ['ready', '1.0.0', 'MAPPER_BROKEN']);
  assert.match(reason?.message ?? '', /default export/);
  assert.equal(await read(connection), 'old');
  // Also where its manifest is what is wrong.
  folder.write('knock', source(), { hosting: 'nowhere' }, '2.0.1');
  await until('told', () => /hosting/.test(statusOf(host).reason?.message ?? ''));
  assert.equal(host.status().length, 1);
  assert.equal(await read(connection), 'old');
  // By a folder in the place of the old one, as packages are installed.
  folder.swap('knock', (next) => {
    writeFileSync(path.join(next, 'mapper.js'), source({ connect: reading("'mended'") }));
    const manifest = {
      version: '2.1.0',
      type: 'module',
      exports: './mapper.js',
      limpet: { protocol: 'knock' },
    };
    writeFileSync(path.join(next, 'package.json'), JSON.stringify(manifest));
  });
  await until('mended', () => statusOf(host).version === '2.1.0');
  assert.equal(statusOf(host).reason, undefined);
  assert.equal(await read(await connect(host)), 'mended');
});

test('a mapper that cannot be loaded is broken by name until its files change; then its devices are told', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('knock', 'export default {');
  const host = await folder.open(t);
  await assert.rejects(host.mapper('knock'), {
    name: 'Misconfigured',
    code: 'MAPPER_BROKEN',
    message: /"knock".*cannot be used.*change its files/,
  });
  assert.equal(statusOf(host).state, 'broken');
  folder.write('knock', source({ connect: reading("'mended'") }));
  await until('told', () => folder.replaced.length === 1);
  assert.equal(await read(await connect(host)), 'mended');
});

test('a mapper that is put into the folder, or taken from it, is noticed', async (t) => {
  const folder = new MapperFolder(t);
  const host = await folder.open(t);
  await assert.rejects(host.mapper('knock'), { code: 'MAPPER_UNKNOWN' });
  folder.write('knock', source({ connect: reading("'here'") }));
  await until('noticed', () => host.status().length === 1);
  const connection = await connect(host);
  assert.equal(await read(connection), 'here');
  folder.swap('knock', (next) => writeFileSync(path.join(next, 'package.json'), '{}'));
  await until('gone', () => host.status().length === 0);
  await assert.rejects(host.mapper('knock'), { code: 'MAPPER_UNKNOWN' });
});

test('a mapper that was shed is away, with the reason, until it is resumed', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('knock', source({ connect: reading("'fine'") }));
  const host = await folder.open(t);
  await connect(host);
  assert.equal(
    host.shed('knock', { code: 'NODE_MEMORY', message: 'the node is short of memory' }),
    true,
  );
  assert.equal(statusOf(host).state, 'shed');
  await assert.rejects(host.mapper('knock'), { code: 'MAPPER_SHED', message: /short of memory/ });
  host.resume('knock');
  await until('told', () => folder.replaced.length === 1);
  assert.equal(await read(await connect(host)), 'fine');
  assert.equal(host.shed('nobody', { code: 'X', message: 'x' }), false);
});

test('a mapper that fills its folder is stopped until the operator has cleared it', async (t) => {
  const folder = new MapperFolder(t);
  const fill = `key === 'fill' && Array.from({ length: 40 }, (_, n) => writeFileSync(String(n), Buffer.alloc(4_096)))`;
  const top = "import { writeFileSync } from 'node:fs';";
  folder.write('knock', source({ top, connect: reading(fill) }), { disk: '64Ki' });
  const host = await folder.open(t, { scratchEveryMs: 200 });
  await read(await connect(host), 'fill');
  await until('stopped', () => statusOf(host).state === 'stopped');
  const { reason } = statusOf(host);
  assert.equal(reason?.code, 'MAPPER_DISK');
  // It may be looked at while it is still filling.
  assert.match(reason?.message ?? '', /knock holds \d+Ki, its "disk" allows 64Ki: remove/);
  await assert.rejects(host.mapper('knock'), { name: 'Unreachable', code: 'MAPPER_STOPPED' });
  const scratch = path.join(folder.data, 'mappers', 'knock');
  for (const name of readdirSync(scratch)) rmSync(path.join(scratch, name));
  await until('started again', () => statusOf(host).state === 'ready');
  assert.deepEqual(folder.replaced, ['knock']);
});

test('a mapper that crashes natively, or throws in a timer, is restarted and named', async (t) => {
  const folder = new MapperFolder(t);
  const ways = `key === 'crash' ? process.kill(process.pid, 'SIGSEGV')
    : key === 'timer' ? setTimeout(() => { throw new TypeError('oops'); }) && new Promise(() => {}) : 'fine'`;
  folder.write('knock', source({ connect: reading(ways) }));
  const host = await folder.open(t, { random: () => 0 });
  for (const [key, code, message] of [
    ['crash', 'MAPPER_CRASHED', /SIGSEGV/],
    ['timer', 'MAPPER_EXITED', /it printed: TypeError: oops/],
  ] as const) {
    await assert.rejects(read(await connect(host), key), { code: 'MAPPER_DOWN' });
    await until('named', () => statusOf(host).reason?.code === code);
    assert.match(statusOf(host).reason?.message ?? '', message);
    await until('back', () => statusOf(host).state === 'ready');
  }
  assert.equal(statusOf(host).restarts, 2);
  assert.ok(statusOf(host).lines?.some((line) => line.includes('oops')));
});

test('a mapper whose heap is full before it is ready is named for that, not for its last line', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('knock', 'const kept = []; for (;;) kept.push({ n: kept.length });');
  const host = await folder.open(t);
  await assert.rejects(host.mapper('knock'), { code: 'MAPPER_DOWN', message: /heap is full/ });
  assert.equal(statusOf(host).reason?.code, 'MAPPER_MEMORY');
});

test('what a mapper does wrong is told in words of its author’s, with the place in its file', async (t) => {
  const folder = new MapperFolder(t);
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['return undefined;', /^connect gave no connection: an object with read, write and close$/],
    [
      'return { read: 5, write() {} };',
      /^its connection lacks read, close: each must be a function$/,
    ],
    ['return settings.a.b;', /^Cannot read properties of undefined .* \(mapper\.js:7:\d+\)$/],
    ["throw 'no route';", /^no route$/],
  ];
  folder.write(
    'knock',
    source({ connect: wrong.map(([code], n) => `if (settings.n === ${n}) { ${code} }`).join(' ') }),
  );
  const host = await folder.open(t);
  const mapper = await host.mapper('knock');
  const context = {
    device: 'd/1',
    clock: systemClock,
    log: silentLog(),
    dial: () => assert.fail(),
  };
  for (const [n, [code, message]] of wrong.entries()) {
    await assert.rejects(
      mapper.connect({ n }, context, signal()),
      { name: 'Error', message },
      code,
    );
  }
  const bad = [
    ['5', /list of readings, one for each visitor$/],
    ['[7]', /neither a value nor an error/],
  ] as const;
  for (const [answer, message] of bad) {
    folder.write(
      answer,
      source({
        protocol: `p${answer.length}`,
        connect: `return { read: async () => (${answer}), async write() {}, async close() {} };`,
      }),
      { protocol: `p${answer.length}` },
    );
    await host.refresh();
    const connection = await connect(host, `p${answer.length}`);
    const said = await read(connection).catch((error: unknown) => error);
    assert.match((said as Error).message, message);
  }
});

test('a folder for mappers that is not there yet is made, so that what comes into it is seen', async (t) => {
  const folder = new MapperFolder(t);
  const mapperFolder = path.join(folder.root, 'later/mappers');
  const host = await folder.open(t, { terms: { mapperFolder } });
  assert.deepEqual(host.status(), []);
  folder.write('knock', source());
  cpSync(folder.mappers, mapperFolder, { recursive: true });
  await until('seen', () => host.status().length === 1);
  assert.equal(statusOf(host).state, 'idle');
});
