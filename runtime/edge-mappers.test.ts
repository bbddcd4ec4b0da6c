import { recordingLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from './config.ts';
import { startEdge } from './main.ts';
import { MapperFolder, source, until } from './mapper/folder.fixture.ts';

/** What devices are: they say who they are, and answer each question with how often they were asked. */
class Simulator {
  /** Connects and times of questions, by device. */
  readonly connects = new Map<string, number>();
  readonly asked = new Map<string, number[]>();
  port = 0;

  async listen(t: TestContext): Promise<void> {
    const server = createServer((socket) => {
      let name: string | undefined;
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        if (name === undefined) {
          name = String(chunk).trim();
          this.connects.set(name, (this.connects.get(name) ?? 0) + 1);
          socket.write('hello');
          return;
        }
        const times = this.asked.get(name) ?? [];
        this.asked.set(name, times);
        times.push(performance.now());
        socket.write(String(times.length));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const address = server.address();
    this.port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  }

  /** The longest pause between two questions since `from`. */
  gapMs(name: string, from: number): number {
    const times = (this.asked.get(name) ?? []).filter((at) => at >= from);
    return Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? 0)));
  }
}

/** A mapper that asks over a wire; `extra` runs at each reading. */
function asking(protocol: string, port: number, extra = ''): string {
  return source({
    protocol,
    connect: `
      const wire = await context.dial('tcp://127.0.0.1:${port}', signal);
      const ask = (text) => new Promise((done, fail) => {
        wire.once('data', (chunk) => done(Number(String(chunk)) || 0));
        wire.once('close', () => fail(new Unreachable('GONE', 'the wire was cut')));
        wire.write(text);
      });
      wire.setMaxListeners(0);
      await ask(settings.name);
      return {
        read: async (visitors) => {
          ${extra}
          const value = await ask('?');
          return visitors.map(() => ({ ok: true, value }));
        },
        write: async (visitor, value) => value,
        close: async () => wire.destroy(),
      };`,
  });
}

const PERIOD_MS = 200;

function manifest(protocol: string, properties = ['n'], every = `${PERIOD_MS}ms`): string {
  const listed = properties.map((name) => ({ name, type: 'int', every, visitor: { name } }));
  const head = { apiVersion: 'limpet.dev/v1' };
  return [
    {
      ...head,
      kind: 'DeviceModel',
      metadata: { name: protocol },
      spec: { protocol, properties: listed },
    },
    {
      ...head,
      kind: 'Device',
      metadata: { name: `${protocol}-1` },
      spec: { model: protocol, node: 'gateway-1', settings: { name: protocol } },
    },
  ]
    .map((each) => JSON.stringify(each))
    .join('\n---\n');
}

test('devices of an unchanged mapper keep their connections, whatever happens to others', async (t) => {
  const folder = new MapperFolder(t);
  const plant = new Simulator();
  await plant.listen(t);
  const limpet = { permissions: { network: [`127.0.0.1:${plant.port}`] } };
  const write = (name: string, extra?: string): void =>
    folder.write(name, asking(name, plant.port, extra), limpet);
  const declare = (name: string, ...more: [string[]?, string?]): void =>
    writeFileSync(path.join(folder.root, 'manifests', `${name}.yaml`), manifest(name, ...more));
  mkdirSync(path.join(folder.root, 'manifests'));
  for (const name of ['calm', 'busy']) {
    write(name);
    declare(name);
  }
  const file = path.join(folder.root, 'limpet.yaml');
  const lines = ['node: gateway-1', 'data: data', 'bus: { listen: "off" }', 'manifests: manifests'];
  writeFileSync(file, [...lines, 'mapperFolder: mappers'].join('\n'));
  const read = readConfig(file);
  assert.ok(read.ok);
  const log = recordingLog();
  const edge = await startEdge({ config: read.config, log, mappers: {} });
  t.after(() => edge.close());
  const asked = (name: string): number => plant.asked.get(name)?.length ?? 0;
  const goesOn = async (name: string): Promise<void> => {
    const before = asked(name);
    await until(`${name} is read`, () => asked(name) > before + 2);
  };
  await Promise.all([goesOn('calm'), goesOn('busy')]);
  const from = performance.now();

  // A property more, and another pace: on the connection that is there.
  declare('busy', ['n', 'm'], '150ms');
  await until(
    'applied',
    () => log.lines.filter(({ message }) => message === 'manifests applied').length > 1,
  );
  await goesOn('busy');
  assert.deepEqual(Object.fromEntries(plant.connects), { calm: 1, busy: 1 });

  // Another file of its mapper: its own device only plans again.
  write('busy', '/* new */');
  await until('replaced', () => plant.connects.get('busy') === 2);
  await goesOn('busy');

  // A mapper that ends: likewise.
  write('busy', 'if (globalThis.n = (globalThis.n ?? 0) + 1, n > 5) process.exit(4);');
  await until('ended', () => log.lines.some(({ message }) => message === 'mapper ended'));
  write('busy');
  const ended = plant.connects.get('busy') ?? 0;
  await until('back', () => (plant.connects.get('busy') ?? 0) > ended);
  await goesOn('busy');
  await sleep(PERIOD_MS);

  assert.equal(plant.connects.get('calm'), 1);
  const gap = plant.gapMs('calm', from);
  // One period, and what a busy machine with a dozen processes adds to it.
  assert.ok(gap < 2 * PERIOD_MS + 300, `the other device was not read for ${gap} ms`);
  const told = log.lines.filter(
    ({ fields }) => fields['protocol'] === 'calm' && fields['reason'] !== undefined,
  );
  assert.deepEqual(told, []);
});
