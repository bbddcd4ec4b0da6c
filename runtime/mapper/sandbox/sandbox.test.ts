import { type Connection, type DmiError } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../kernel/clock.ts';
import { MapperFolder, source, until } from '../folder.fixture.ts';
import { type MapperHost } from '../host.ts';
import { bundled } from './command.ts';
import { permittedOpen } from './confine.ts';
import { isOurs, refusal } from './modules.ts';
import { NO_PERMISSIONS } from './permissions.ts';

const signal = (): AbortSignal => AbortSignal.timeout(10_000);

/** Runs what is asked of it, and answers with the outcome. */
const HOSTILE = {
  top: `const ask = async (code) => {
    try { return 'done ' + String(await (0, eval)('(async () => {' + code + '})()')); }
    catch (error) { return String(error.code) + ' ' + error.message; }
  };`,
  connect: `let wire; return {
    read: (visitors) => Promise.all(visitors.map(async ({ key }) => {
      if (key === 'folder') return { ok: true, value: context.folder };
      if (key.startsWith('dial ')) {
        try { wire = await context.dial(key.slice(5), signal); return { ok: true, value: 'done' }; }
        catch (error) { return { ok: true, value: error.name + ' ' + error.code + ' ' + error.message }; }
      }
      return { ok: true, value: await ask(key) };
    })),
    write: async (visitor, value) => value,
    close: async () => wire?.destroy(),
  };`,
};

async function hostile(t: TestContext, permissions: object = {}, limpet: object = {}) {
  const folder = new MapperFolder(t);
  folder.write('knock', source(HOSTILE), { permissions, ...limpet });
  const host = await folder.open(t);
  const connection = await connect(host);
  const ask = async (code: string): Promise<string> => {
    const [answer] = await connection.read([{ key: code }], signal());
    return answer?.ok === true ? (answer.value as string) : 'no answer';
  };
  return { folder, host, ask };
}

async function connect(host: MapperHost): Promise<Connection<unknown>> {
  const mapper = await host.mapper('knock');
  const context = {
    device: 'default/one',
    clock: systemClock,
    log: silentLog(),
    dial: () => assert.fail(),
  };
  return mapper.connect({}, context, signal());
}

async function listening(
  t: TestContext,
): Promise<{ port: number; server: Server; accepted: () => number }> {
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { port: address.port, server, accepted: () => accepted };
}

const get = (name: string): string => `const m = await import('${name}');`;

test('a mapper that declares nothing reads its own folder, writes its scratch folder, and no more', async (t) => {
  process.env['LIMPET_TEST_SECRET'] = 'do not tell';
  t.after(() => delete process.env['LIMPET_TEST_SECRET']);
  const { folder, ask } = await hostile(t);
  const scratch = path.join(folder.data, 'mappers', 'knock');
  const fs = `const fs = process.getBuiltinModule('fs');`;
  assert.equal(
    await ask(`${fs} fs.writeFileSync('note', 'x'); return fs.readFileSync('note')`),
    'done x',
  );
  assert.equal(readFileSync(path.join(scratch, 'note'), 'utf8'), 'x');
  assert.equal(await ask('return process.cwd()'), `done ${scratch}`);
  assert.equal(await ask('folder'), scratch, 'the mapper is told which it is');
  const own = path.join(folder.mappers, 'knock', 'mapper.js');
  assert.match(await ask(`${fs} return fs.readFileSync('${own}').length`), /^done \d+/);
  const outside = path.join(folder.root, 'outside');
  writeFileSync(path.join(folder.data, 'twins.db'), 'state');
  const denied = [
    `${fs} fs.writeFileSync('${own}', '')`,
    `${fs} fs.writeFileSync('${outside}', '')`,
    `${fs} fs.readFileSync('/etc/passwd')`,
    `${fs} fs.readFileSync('${folder.data}/twins.db')`,
    `${fs} fs.readFileSync('/proc/' + process.ppid + '/environ')`,
    `${fs} fs.symlinkSync('/etc', 'etc')`,
    `process.getBuiltinModule('module').createRequire('/')('child_process').execSync('true')`,
    `new (process.getBuiltinModule('module').createRequire('/')('worker_threads').Worker)('1', { eval: true })`,
    `process.dlopen({ exports: {} }, '/nowhere.node')`,
    `process.binding('fs')`,
  ];
  for (const code of denied)
    assert.match(await ask(code), /^(ERR_ACCESS_DENIED|ERR_DLOPEN_DISABLED|MAPPER_DENIED) /, code);
  assert.ok(!existsSync(outside));
  const refused = [
    'net',
    'node:http',
    'child_process',
    'worker_threads',
    'node:sqlite',
    'inspector',
    'dgram',
  ];
  for (const name of refused) {
    assert.match(await ask(get(name)), /^MAPPER_DENIED .*may not use node:/, name);
    assert.match(await ask(`process.getBuiltinModule('${name}')`), /^MAPPER_DENIED/, name);
    assert.match(
      await ask(`process.getBuiltinModule('module').createRequire('${own}')('${name}')`),
      /^MAPPER_DENIED/,
      name,
    );
  }
  for (const code of [
    'process.kill(process.ppid, 0)',
    'process._kill(process.ppid, 0)',
    'process._debugProcess(process.ppid)',
    `process.getBuiltinModule('os').setPriority(process.ppid, 19)`,
    `(await import('node:os')).setPriority(-20)`,
  ]) {
    assert.match(await ask(code), /^MAPPER_DENIED/, code);
  }
  // Hooks of its own would come before ours, and lead a name of their making to what is closed.
  const hook = `m.registerHooks({ resolve: (name, context, next) =>
    name === 'x:sqlite' ? { url: 'node:sqlite', shortCircuit: true } : next(name, context) });`;
  for (const own of [`const m = process.getBuiltinModule('module');`, get('node:module')]) {
    assert.match(await ask(`${own} ${hook} return import('x:sqlite')`), /^MAPPER_DENIED/, own);
  }
  const environment = await ask('return JSON.stringify(process.env)');
  assert.ok(!environment.includes('do not tell') && environment.includes(scratch), environment);
  assert.equal(await ask(`return process.getBuiltinModule('os').getPriority()`), 'done 5');
});

test('a mapper connects to declared hosts only, however it tries', async (t) => {
  const [allowed, other] = [await listening(t), await listening(t)];
  const rule = `127.0.0.0/8:${allowed.port}`;
  const { ask } = await hostile(t, { network: [rule] });
  assert.equal(await ask(`dial tcp://127.0.0.1:${allowed.port}`), 'done');
  const refused = await ask(`dial tcp://127.0.0.1:${other.port}`);
  assert.match(refused, /^Misconfigured MAPPER_DENIED .*127\.0\.0\.1:\d+: add it to "network"/);
  const open = (port: number, host = '127.0.0.1'): string =>
    `${get('node:net')} return new Promise((done, fail) => m.connect(${port}, '${host}').on('connect', () => done('open')).on('error', fail))`;
  assert.equal(await ask(open(allowed.port)), 'done open');
  assert.match(await ask(open(other.port)), /^MAPPER_DENIED/);
  // A name counts by the addresses that it leads to.
  assert.equal(await ask(open(allowed.port, 'localhost')), 'done open');
  assert.match(await ask(open(other.port, 'localhost')), /^MAPPER_DENIED/);
  assert.match(
    await ask(`await fetch('http://127.0.0.1:${other.port}').catch((e) => { throw e.cause })`),
    /^MAPPER_DENIED/,
  );
  assert.match(
    await ask(
      `${get('node:net')} return new Promise((done, fail) => m.connect('/run/dbus').on('error', fail))`,
    ),
    /^MAPPER_DENIED/,
  );
  assert.match(await ask(`${get('node:net')} m.createServer().listen(0)`), /^MAPPER_DENIED/);
  // Also where it brings a resolver of its own, which would lead a declared name elsewhere.
  const mine = await listening(t);
  const misled = await hostile(t, { network: ['nowhere.invalid'] });
  assert.match(
    await misled.ask(
      `${get('node:net')} return new Promise((done, fail) => m.connect({ host: 'nowhere.invalid', port: ${mine.port}, lookup: (name, options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]) }).on('connect', () => done('open')).on('error', fail))`,
    ),
    /^(ENOTFOUND|EAI_AGAIN) /,
  );
  // A name that leads nowhere is an error like any other, not the end of the process.
  assert.match(await ask(open(allowed.port, 'nowhere.invalid')), /^(ENOTFOUND|EAI_AGAIN) /);
  assert.match(
    await ask(`dial tcp://nowhere.invalid:${allowed.port}`),
    /^Unreachable PORT_NO_NAME /,
  );
  assert.equal(other.accepted(), 0);
});

test('the add-on of serial lines loads where one is declared', async (t) => {
  const { ask } = await hostile(t, { serial: ['/dev/null'] });
  const said = await ask('dial serial:/dev/null?baud=9600');
  assert.match(said, /^Unreachable PORT_OPEN .*Inappropriate ioctl/);
});

test('a serial line is opened only where it is declared', async () => {
  const line = {
    kind: 'serial',
    path: '/dev/ttyUSB7',
    baud: 9600,
    parity: 'none',
    dataBits: 8,
    stopBits: 1,
  } as const;
  const opened: string[] = [];
  const open = (serial: boolean | string[]) =>
    permittedOpen({ ...NO_PERMISSIONS, serial }, (address) => {
      opened.push(address.kind);
      return Promise.reject(new Error('nothing there'));
    })(line, signal());
  for (const none of [false, [], ['/dev/ttyUSB70']]) {
    await assert.rejects(open(none), {
      name: 'Misconfigured',
      code: 'MAPPER_DENIED',
      message: /ttyUSB7: add it to "serial"/,
    });
  }
  assert.equal(opened.length, 0);
  for (const some of [true, ['/dev/ttyUSB7']]) await assert.rejects(open(some), /nothing there/);
  assert.equal(opened.length, 2);
});

test('only the files of the bundle itself are ours, not what lies in folders beside them', () => {
  const bundle = ['file:///opt/limpet/'];
  assert.ok(isOurs('file:///opt/limpet/limpet-mapper.mjs', bundle, false));
  assert.ok(!isOurs('file:///opt/limpet/mappers/knock/mapper.js', bundle, false));
  assert.ok(!isOurs('file:///opt/limpet-mine/mapper.js', bundle, false));
  assert.ok(isOurs('file:///src/runtime/kernel/clock.ts', ['file:///src/runtime/'], true));
});

test('of a bundle its modules can be read, not the settings or the data beside them', (t) => {
  const { root } = new MapperFolder(t);
  mkdirSync(path.join(root, 'data.mjs.d'));
  for (const name of ['limpet-mapper.mjs', 'serial-1.node', 'package.json', 'limpet.yaml', 'token'])
    writeFileSync(path.join(root, name), '');
  const names = bundled(root).map((file) => path.relative(root, file));
  assert.deepEqual(names, ['limpet-mapper.mjs', 'package.json', 'serial-1.node']);
});

test('a library may name what it does not use; a mapper of one file may not', () => {
  const none = { network: false };
  assert.match(refusal('node:net', none, false) ?? '', /context\.dial/);
  assert.equal(refusal('net', none, true), undefined);
  assert.equal(refusal('child_process', none, true), undefined);
  // Nothing else holds these back.
  assert.match(refusal('node:sqlite', none, true) ?? '', /sqlite/);
  assert.match(refusal('dgram', { network: ['*:1'] }, true) ?? '', /"network": true/);
  assert.equal(refusal('dgram', { network: true }, true), undefined);
  assert.equal(refusal('http2', { network: ['*:1'] }, false), undefined);
  assert.equal(refusal('node:path', none, false), undefined);
});

test('declared files can be read and written', async (t) => {
  const folder = new MapperFolder(t);
  const shared = path.join(folder.root, 'shared');
  mkdirSync(shared);
  const { ask } = await hostile(t, { files: { read: [shared], write: [`${shared}/out`] } });
  writeFileSync(path.join(shared, 'in'), 'recipe');
  const fs = `const fs = process.getBuiltinModule('fs');`;
  assert.equal(await ask(`${fs} return fs.readFileSync('${shared}/in')`), 'done recipe');
  assert.match(await ask(`${fs} fs.writeFileSync('${shared}/in', '')`), /^ERR_ACCESS_DENIED/);
  assert.match(await ask(`${fs} fs.writeFileSync('${shared}/out', 'x')`), /^done/);
});

test('a file larger than the ceiling of its disk cannot be written', async (t) => {
  const { ask, folder } = await hostile(t, {}, { disk: '64Ki' });
  const big = `process.getBuiltinModule('fs').writeFileSync('big', Buffer.alloc(1e6))`;
  const outcome = await ask(big).catch((error: DmiError) => error.code);
  assert.match(outcome, /^(EFBIG|MAPPER_DOWN)/);
  const { size } = statSync(path.join(folder.data, 'mappers/knock/big'));
  assert.equal(size, 65_536);
});

test('a mapper that leaks ends by its own heap before it takes the node along', async (t) => {
  const { ask, host } = await hostile(t, {}, { memory: '40Mi' });
  const leak = `const all = []; for (;;) { all.push(new Array(1000).fill({})); if (all.length % 100 === 0) await new Promise(setImmediate); }`;
  await assert.rejects(ask(leak), { code: 'MAPPER_DOWN' });
  await until('told', () => host.status()[0]?.reason !== undefined);
  assert.equal(host.status()[0]?.reason?.code, 'MAPPER_MEMORY');
});
