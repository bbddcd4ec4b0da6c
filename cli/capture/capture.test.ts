/** Recorded at an edge from a Modbus device over TCP, and replayed to the mapper. */
import { fakeContext, parseRecording, recordingLog, replayWire } from '@limpet/dmi/testing';
import mapper from '@limpet/mapper-modbus';
import { ModbusSimulator } from '@limpet/mapper-modbus/simulator';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { readConfig } from '../../runtime/config.ts';
import { systemClock } from '../../runtime/kernel/clock.ts';
import { startEdge } from '../../runtime/main.ts';
import { MapperFolder, until } from '../../runtime/mapper/folder.fixture.ts';
import { runLimpet, temporaryFolder } from '../testing/run-limpet.ts';

/** The two numbers of the transaction that every Modbus TCP request begins with. */
const ECHOES = [{ at: 0, length: 2 }];
const TEMPERATURE = { register: 'input', address: 0, type: 'float32' } as const;
const COUNT = { register: 'holding', address: 10 } as const;

async function plant(t: TestContext): Promise<string> {
  const simulator = new ModbusSimulator(systemClock);
  simulator.unit(1).set('input', 0, [0x41ac, 0]);
  simulator.unit(1).set('holding', 10, [553]);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    simulator.serve(socket, 'tcp');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function edge(t: TestContext, hosting: 'inline' | 'process'): Promise<string> {
  const folder = temporaryFolder(t);
  const address = await plant(t);
  const property = (name: string, visitor: object, type: string): string =>
    `    - { name: ${name}, type: ${type}, every: 100ms, visitor: ${JSON.stringify(visitor)} }`;
  const lines = [
    'apiVersion: limpet.dev/v1',
    'kind: DeviceModel',
    'metadata: { name: boiler }',
    'spec:',
    '  protocol: modbus',
    '  properties:',
    property('temperature', TEMPERATURE, 'float'),
    property('count', COUNT, 'int'),
    '---',
    'apiVersion: limpet.dev/v1',
    'kind: Device',
    'metadata: { name: boiler-1 }',
    `spec: { model: boiler, node: gateway-1, settings: { address: "${address}" } }`,
  ];
  await start(t, { folder, manifest: lines.join('\n') }, [
    `mappers: { modbus: { hosting: ${hosting} } }`,
  ]);
  return folder;
}

/** An edge with this manifest, once its device is online. */
async function start(
  t: TestContext,
  { folder, manifest }: { readonly folder: string; readonly manifest: string },
  more: readonly string[],
): Promise<void> {
  const manifests = path.join(folder, 'manifests');
  mkdirSync(manifests);
  writeFileSync(path.join(manifests, 'device.yaml'), manifest);
  const file = path.join(folder, 'limpet.yaml');
  const config = [
    'node: gateway-1',
    `data: ${path.join(folder, 'data')}`,
    `manifests: ${manifests}`,
    'bus: { listen: off }',
    ...more,
  ];
  writeFileSync(file, config.join('\n'));
  const read = readConfig(file);
  assert.ok(read.ok, JSON.stringify(read));
  const log = recordingLog();
  const running = await startEdge({ config: read.config, log });
  t.after(() => running.close());
  await until('the device is online', () =>
    log.lines.some(({ message }) => message === 'device online'),
  );
}

const parse = async (part: 'settings' | 'visitor', value: unknown): Promise<never> => {
  const result = await mapper[part]['~standard'].validate(value);
  return result.issues === undefined ? (result.value as never) : assert.fail('refused');
};

for (const hosting of ['inline', 'process'] as const) {
  test(`a device is recorded and replayed to the same values (${hosting})`, async (t) => {
    const folder = await edge(t, hosting);
    const place = ['--edge', path.join(folder, 'data')];
    const [file, fixture] = [path.join(folder, 'x.capture.jsonl'), path.join(folder, 'fixture')];
    const ran = await runLimpet(['capture', 'boiler-1', '--for', '1s', '-o', file, ...place]);
    assert.equal(ran.code, 0, ran.err);
    assert.match(ran.out, /bytes over 1 wire/);
    assert.match(ran.err, /may hold passwords/);
    assert.equal(statSync(file).mode & 0o777, 0o600);

    const replayed = await runLimpet(['replay', file, '-o', fixture]);
    assert.equal(replayed.code, 0, replayed.err);
    assert.match(
      replayed.out,
      / ms {2}out > [0-9a-f]{2} [0-9a-f]{2} 00 00 00 06 01 04 00 00 00 02/,
    );
    assert.match(replayed.out, /events for replayWire|for replayWire\(\)/);

    const recording = parseRecording(readFileSync(fixture, 'utf8'));
    assert.equal(recording.header.protocol, 'modbus');
    assert.deepEqual(recording.dropped, { events: 0, bytes: 0 });
    const replay = replayWire(recording, { echoes: ECHOES });
    const context = fakeContext({ wire: replay.serve });
    const signal = new AbortController().signal;
    const settings = await parse('settings', recording.header.settings);
    const connection = await mapper.connect(settings, context, signal);
    const visitors = [await parse('visitor', TEMPERATURE), await parse('visitor', COUNT)];
    // More often than it was recorded, and in another order.
    for (let round = 0; round < 50; round++) {
      const readings = await connection.read(visitors.toReversed(), signal);
      assert.deepEqual(readings, [
        { ok: true, value: 553 },
        { ok: true, value: 21.5 },
      ]);
    }
    assert.deepEqual([replay.faults, replay.unasked], [[], []]);
    const other = await parse('visitor', { ...COUNT, address: 11 });
    await assert.rejects(connection.read([other], signal), { name: 'Unreachable' });
    assert.match(
      replay.faults[0] ?? '',
      /not recorded: .* from which byte 9 differs \(0b instead of 0a\)/,
    );
    await connection.close();
  });
}

/** Asks over a socket that it opens itself, as a library would. */
const OWN = `
  import { defineMapper } from '@limpet/dmi';
  import { connect } from 'node:net';
  import { once } from 'node:events';
  const any = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
  export default defineMapper({
    protocol: 'own', settings: any, visitor: any,
    async connect({ port }) {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      return {
        async read(visitors) {
          socket.write('temperature?');
          const [answer] = await once(socket, 'data');
          return visitors.map(() => ({ ok: true, value: Number(answer) }));
        },
        write: async (visitor, value) => value,
        close: async () => void socket.destroy(),
      };
    },
  });
`;

test('sockets that the library of a mapper opens are recorded too, in its process', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('own', OWN, { permissions: { network: true } });
  const server = createServer((socket) => {
    socket.on('data', () => socket.write('21.5'));
    socket.on('error', () => undefined);
    t.after(() => socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const visitor = '{ }';
  const lines = [
    'apiVersion: limpet.dev/v1',
    'kind: DeviceModel',
    'metadata: { name: own }',
    'spec:',
    '  protocol: own',
    `  properties: [{ name: temperature, type: float, every: 100ms, visitor: ${visitor} }]`,
    '---',
    'apiVersion: limpet.dev/v1',
    'kind: Device',
    'metadata: { name: own-1 }',
    `spec: { model: own, node: gateway-1, settings: { port: ${port}, password: s3cret } }`,
  ];
  await start(t, { folder: folder.root, manifest: lines.join('\n') }, [
    `mapperFolder: ${folder.mappers}`,
  ]);
  const place = ['--edge', path.join(folder.root, 'data')];
  const ran = await runLimpet(['capture', 'own-1', '--for', '700ms', '--json', ...place]);
  assert.equal(ran.code, 0, ran.err);
  const { header, events } = parseRecording(ran.out);
  assert.deepEqual(header.settings, { port, password: '(left out)' });
  assert.equal(events[0]?.kind, 'open');
  const said = (kind: 'in' | 'out'): string =>
    events.map((event) => (event.kind === kind ? event.bytes.toString() : '')).join('');
  assert.match(said('out'), /^(temperature\?){2,}$/);
  assert.match(said('in'), /^(21\.5){2,}$/);
});

test('what cannot be recorded says why, and leaves no file', async (t) => {
  const folder = await edge(t, 'inline');
  const file = path.join(folder, 'none.jsonl');
  const place = ['--edge', path.join(folder, 'data')];
  const absent = await runLimpet(['capture', 'nobody', '-o', file, ...place]);
  assert.equal(absent.code, 1);
  const odd = await runLimpet(['capture', 'boiler-1', '--for', 'long', '-o', file, ...place]);
  assert.equal(odd.code, 2);
  assert.throws(() => statSync(file), { code: 'ENOENT' });
  writeFileSync(file, '{"limpet":"capture"}\n');
  const broken = await runLimpet(['replay', file]);
  assert.equal(broken.code, 1);
  assert.match(broken.err, /line 1: a recording of another version/);
});
