import { type Mapper } from '@limpet/dmi';
import { type FakeClock, fakeContext } from '@limpet/dmi/testing';
import { Aedes } from 'aedes';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { mqttClient } from './mqtt-client.ts';

test('the bundled MQTT mapper carries nothing that dials, and reads', async (t) => {
  const outdir = mkdtempSync(path.join(tmpdir(), 'limpet-mqtt-'));
  t.after(() => rmSync(outdir, { recursive: true, force: true }));
  const { metafile } = await build({
    absWorkingDir: path.resolve(import.meta.dirname, '..'),
    entryPoints: { mapper: 'mappers/mqtt/mapper.ts' },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    conditions: ['source'],
    metafile: true,
    alias: { debug: './cross-build/no-debug.cjs', 'readable-stream': 'node:stream' },
    plugins: [mqttClient()],
    banner: {
      js: "const require=process.getBuiltinModule('module').createRequire(import.meta.url);",
    },
  });
  const carried = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) =>
      bytesInOutput > 300 ? file : [],
    ),
  );
  assert.ok(carried.some((file) => file.endsWith('mqtt/build/lib/client.js')));
  const heavy =
    /\/(ws|socks|worker-timers|lru-cache|commist|help-me|url|debug)\/|\/connect\/|readable-stream/;
  assert.deepEqual(
    carried.filter((file) => heavy.test(file)),
    [],
  );

  const module = (await import(pathToFileURL(path.join(outdir, 'mapper.mjs')).href)) as {
    default: Mapper<unknown, unknown>;
  };
  const mapper = module.default;
  const broker = await Aedes.createBroker();
  t.after(() => new Promise<void>((resolve) => broker.close(resolve)));
  const kept = { cmd: 'publish', topic: 'hall', qos: 0, retain: true, dup: false } as const;
  const { promise, resolve } = Promise.withResolvers<void>();
  broker.publish({ ...kept, payload: Buffer.from('21.5') }, () => resolve());
  await promise;
  const context = fakeContext({
    wire: (wire) => void broker.handle(wire as Parameters<Aedes['handle']>[0]),
  });
  const parse = async (part: 'settings' | 'visitor', value: unknown): Promise<unknown> => {
    const result = await mapper[part]['~standard'].validate(value);
    return result.issues === undefined ? result.value : assert.fail('refused');
  };
  const { signal } = new AbortController();
  const where = { broker: 'mqtt://broker', topic: 'hall', retained: 'use' };
  const settings = await parse('settings', where);
  const connection = await passing(mapper.connect(settings, context, signal), context.clock);
  const read = connection.read([await parse('visitor', {})], signal);
  assert.deepEqual(await passing(read, context.clock), [{ ok: true, value: 21.5 }]);
  await connection.close();
  // What this broker says to version 5.
  const newer = mapper.connect(
    await parse('settings', { ...where, version: '5' }),
    context,
    signal,
  );
  await assert.rejects(passing(newer, context.clock), { code: 'MQTT_VERSION' });
});

/** Lets time pass until it is settled. */
async function passing<T>(promise: Promise<T>, clock: FakeClock): Promise<T> {
  let over = false;
  const settled = (): void => void (over = true);
  promise.then(settled, settled);
  while (!over) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(1);
  }
  return promise;
}
