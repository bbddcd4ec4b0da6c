/**
 * Promise: devices on a serial line come over to a changed mapper without an error. The line can be open once only, and the
 * old process still holds it when the new one is ready: on a real terminal, with the Modbus mapper from the bundle.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { build } from 'esbuild';
import { ModbusSimulator } from '@limpet/mapper-modbus/simulator';
import { type Device, type DeviceModel } from '@limpet/dmi/manifest';
import { systemClock } from '#runtime/kernel/clock.ts';
import { openPseudoTerminal, type PseudoTerminal } from '../plant/pseudo-terminal.ts';
import { NODE, Rig } from '../rig/rig.ts';
import { pause, until } from '../rig/until.ts';

const UNITS = [1, 2, 3];
/** Some 0.3 s on a quiet machine; a device that is tried again after an error is away for longer and says so. */
const MAX_GAP_MS = 4000;
const MODEL: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'meter' },
  spec: {
    protocol: 'modbus',
    properties: [
      {
        name: 'count',
        type: 'int',
        every: '100ms',
        visitor: { register: 'input', address: 0, type: 'uint16' },
      },
    ],
  },
};

let rig: Rig;
let pty: PseudoTerminal | undefined;
const plant = new ModbusSimulator(systemClock);

before(async () => {
  pty = await openPseudoTerminal();
  rig = await Rig.create();
  if (pty === undefined) return;
  for (const unit of UNITS) plant.unit(unit).set('input', 0, [0]);
  plant.serve(pty.stream, 'rtu');
});
after(async () => {
  await rig.close();
  pty?.close();
});

/** All that is wrong with the devices now. */
async function faults(): Promise<string[]> {
  const { items } = await rig.edgeApi.list('Device');
  return (items as Device[]).flatMap(({ metadata, status }) =>
    status?.state === 'online' ? [] : [`${metadata.name} ${JSON.stringify(status)}`],
  );
}

/** Until every device has told a value that the plant has only from now on. */
async function fresh(count: number): Promise<void> {
  for (const unit of UNITS) plant.unit(unit).set('input', 0, [count]);
  await until(async () => {
    const { items } = await rig.edgeApi.list('Device');
    const values = (items as Device[]).map((each) => each.status?.twin['count']?.reported?.value);
    return values.length === UNITS.length && values.every((value) => value === count)
      ? undefined
      : `${JSON.stringify(values)}, not ${count}: ${rig.edge?.lastLines}`;
  }, 8_000);
}

/** The Modbus mapper as a package that somebody keeps beside the edge. */
async function writePackage(folder: string, version: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await build({
    entryPoints: [path.resolve(import.meta.dirname, '../../mappers/modbus/mapper.ts')],
    outfile: path.join(folder, 'mapper.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['@limpet/dmi', 'serialport', '@serialport/*'],
    conditions: ['source'],
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  const limpet = { protocol: 'modbus', hosting: 'process', memory: '24Mi' };
  const manifest = { name: 'line', version, type: 'module', exports: './mapper.mjs' };
  const permissions = { serial: true, network: true };
  writeFileSync(
    path.join(folder, 'package.json'),
    JSON.stringify({ ...manifest, limpet: { ...limpet, permissions } }),
  );
}

test('a line of three devices is read by the mapper inline, and by a new version of one in a process at once', async (t) => {
  if (pty === undefined) return t.skip('this machine gives no pseudo-terminal');
  await Promise.all([rig.startCloud(), rig.startEdge()]);
  await rig.api.create(MODEL);
  for (const unit of UNITS) {
    const settings = { address: `rtu://${pty.path}?baud=115200&parity=none`, unit };
    await rig.api.create({
      apiVersion: 'limpet.dev/v1',
      kind: 'Device',
      metadata: { name: `meter-${unit}` },
      spec: { model: 'meter', node: NODE, settings },
    });
  }
  await fresh(1);
  await rig.edge?.stop();

  const folder = path.join(rig.folder, 'modbus');
  await writePackage(folder, '1.0.0');
  await rig.configure({ mappers: `{ modbus: { folder: ${folder} } }` });
  await rig.startEdge();
  await fresh(2);

  for (const version of [2, 3, 4]) {
    await writePackage(folder, `${version}.0.0`);
    const gap = await longestGap(version);
    t.diagnostic(`version ${version}: longest time without a request ${gap.toFixed(0)} ms`);
    assert.ok(gap < MAX_GAP_MS, `${gap} ms without a request`);
    await fresh(10 + version);
  }
  const { output = '' } = rig.edge ?? {};
  assert.doesNotMatch(output, /PORT_|device lost|"level":"error"/);
});

/** How long at most nobody asked the line, until the new version had asked for a while. */
async function longestGap(version: number): Promise<number> {
  const began = performance.now();
  let [last, longest, requests, end] = [began, 0, plant.requests, Infinity];
  while (performance.now() < end) {
    assert.deepEqual(await faults(), []);
    assert.ok(performance.now() - began < 20_000, `never replaced: ${rig.edge?.lastLines}`);
    const taken = rig.edge?.logged('mapper replaced by its new version').length ?? 0;
    if (taken === version - 1 && end === Infinity) end = performance.now() + 1_500;
    if (plant.requests > requests) {
      longest = Math.max(longest, performance.now() - last);
      [last, requests] = [performance.now(), plant.requests];
    }
    await pause(10);
  }
  return Math.max(longest, performance.now() - last);
}
