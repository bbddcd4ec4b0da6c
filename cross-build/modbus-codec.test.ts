import { type Mapper } from '@limpet/dmi';
import { fakeContext } from '@limpet/dmi/testing';
import { ModbusSimulator } from '@limpet/mapper-modbus/simulator';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { modbusCodec } from './modbus-codec.ts';

test('the bundled Modbus mapper carries no ports and no serialport, and reads and writes', async (t) => {
  const outdir = mkdtempSync(path.join(tmpdir(), 'limpet-codec-'));
  t.after(() => rmSync(outdir, { recursive: true, force: true }));
  const { metafile } = await build({
    absWorkingDir: path.resolve(import.meta.dirname, '..'),
    entryPoints: { mapper: 'mappers/modbus/mapper.ts' },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    conditions: ['source'],
    metafile: true,
    alias: { debug: './cross-build/no-debug.cjs' },
    plugins: [modbusCodec()],
    banner: {
      js: "const require=process.getBuiltinModule('module').createRequire(import.meta.url);",
    },
  });
  const carried = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) =>
      bytesInOutput > 300 ? file : [],
    ),
  );
  assert.ok(carried.some((file) => file.endsWith('modbus-serial/index.js')));
  assert.deepEqual(
    carried.filter((file) => /serialport|node_modules\/debug|\/ports\/|\/servers\//.test(file)),
    [],
  );

  const module = (await import(pathToFileURL(path.join(outdir, 'mapper.mjs')).href)) as {
    default: Mapper<unknown, unknown>;
  };
  const context = fakeContext({ wire: (wire) => simulator.serve(wire, 'tcp') });
  const simulator = new ModbusSimulator(context.clock);
  simulator.unit(1).set('holding', 0, [553]);
  const mapper = module.default;
  const parse = async (part: 'settings' | 'visitor', value: unknown): Promise<unknown> => {
    const result = await mapper[part]['~standard'].validate(value);
    return result.issues === undefined ? result.value : assert.fail('refused');
  };
  const signal = new AbortController().signal;
  const settings = await parse('settings', { address: 'tcp://127.0.0.1' });
  const connection = await mapper.connect(settings, context, signal);
  const visitor = await parse('visitor', { register: 'holding', address: 0, scale: 0.1 });
  assert.deepEqual(await connection.read([visitor], signal), [{ ok: true, value: 55.3 }]);
  assert.equal(await connection.write(visitor, 60, signal), 60);
  assert.deepEqual(await connection.read([visitor], signal), [{ ok: true, value: 60 }]);
  await connection.close();
});
