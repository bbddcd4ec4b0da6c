/**
 * Promise: an edge at work does not grow. And the check can fail: the same edge with a leak of 256 KiB a second in it, run
 * beside it, is found out by the same rule.
 *
 * `LIMPET_SOAK_S` (default 90) sets for how long.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { changeAll } from '../bench/change-all.ts';
import { verdict } from '../bench/memory/plot.ts';
import { trend } from '../bench/memory/trend.ts';
import { watchPrivate } from '../bench/memory/watch.ts';
import { readOnly } from '../bench/models.ts';
import { BusListener } from '../rig/bus-listener.ts';
import { Rig } from '../rig/rig.ts';
import { until } from '../rig/until.ts';

const SECONDS = Number(process.env['LIMPET_SOAK_S'] ?? 90);
const DEVICES = 2;
const PER_DEVICE = 100;
const LEAK = `const kept = []; setInterval(() => kept.push(Buffer.alloc(64 * 1024, 1)), 250).unref();`;

let sound: Rig;
let leaking: Rig;
const stops: (() => unknown)[] = [];

before(async () => {
  sound = await Rig.create();
  leaking = await Rig.create();
  const leak = path.join(leaking.folder, 'leak.cjs');
  await writeFile(leak, LEAK);
  await Promise.all([work(sound), work(leaking, { NODE_OPTIONS: `--require=${leak}` })]);
});
after(async () => {
  for (const stop of stops) await stop();
  await Promise.all([sound?.close(), leaking?.close()]);
});

test(`in ${SECONDS} s of work the edge holds its private memory, and the one that leaks does not`, async (t) => {
  const [held, grown] = await Promise.all([soak(sound), soak(leaking)]);
  t.diagnostic(verdict(held));
  t.diagnostic(verdict(grown));
  assert.equal(held.trend.holds, true, verdict(held));
  assert.equal(grown.trend.holds, false, `a leak was not found: ${verdict(grown)}`);
});

/** Registers that change, a client on the bus, the cloud. */
async function work(rig: Rig, environment: NodeJS.ProcessEnv = {}): Promise<void> {
  await rig.startCloud();
  await rig.startEdge(environment);
  await rig.declare(readOnly('soak', PER_DEVICE, '1s'), DEVICES);
  stops.push(changeAll(rig.registers, DEVICES, PER_DEVICE));
  const bus = await BusListener.connect(rig.busPort);
  stops.push(() => bus.close());
  await until(() => {
    const last = bus.last(`limpet/default/device-${DEVICES}/twin/sensor-${PER_DEVICE - 1}`);
    return last?.['quality'] === 'good' ? undefined : 'nothing was read yet';
  });
}

async function soak(rig: Rig) {
  const pid = (): number => {
    assert.ok(rig.edge?.running, rig.edge?.lastLines);
    return rig.edge.pid;
  };
  const names = [rig === sound ? 'edge' : 'edge with a leak', 'its mappers'] as const;
  const [core] = await watchPrivate(pid, names, { seconds: SECONDS, everyS: 2 });
  assert.ok(core);
  return { ...core, trend: trend(core) };
}
