/**
 * A day without the cloud: 1,000 properties that change every second for 24 h, fed into the real twin store on
 * disk as fast as it takes them, then the real session and link to a real cloud process. Only the waiting is left out.
 */
import path from 'node:path';
import type { Device, DeviceModel, Reported } from '@limpet/dmi/manifest';
import { nodeFacts } from '#runtime/health/facts.ts';
import { systemClock } from '#runtime/kernel/clock.ts';
import { CloudLink } from '#runtime/sync/link.ts';
import { dialWebSocket } from '#runtime/sync/wire.ts';
import { TwinStore } from '#runtime/twin/store.ts';
import { silentLog } from '@limpet/dmi/testing';
import { NODE, Rig } from '../rig/rig.ts';
import { until } from '../rig/until.ts';
import { type Figure, ms } from './figure.ts';
import { sensors } from './models.ts';

const PROPERTIES = 1_000;
const DAY_S = 86_400;
const id = 'default/device-1';
const target = { kind: 'Device', namespace: 'default', name: 'device-1' } as const;

export async function offline(quick: boolean): Promise<readonly Figure[]> {
  const changes = quick ? DAY_S / 24 : DAY_S;
  const rig = await Rig.create();
  const file = path.join(rig.edgeData, 'twins.db');
  const store = TwinStore.open({ path: file, clock: systemClock, log: silentLog() });
  try {
    declare(store);
    await change(store, changes);
    const rows = store.rowsAfter(0, { rows: 1_000_000, bytes: 1e9 }).length;
    await rig.startCloud();
    const took = await resync(rig, store, changes);
    const missing = await mirrorWrong(rig, changes);
    const when = `${changes} s offline, ${PROPERTIES} properties changing each second`;
    return [
      { what: `${when}: rows to send`, value: rows, unit: 'rows', goal: 'one per property (+ 3)' },
      ms(`${when}: link up to all mirrors right`, took, '< 5 s'),
      { what: `${when}: last values missing in the cloud`, value: missing, unit: '', goal: '0' },
    ];
  } finally {
    store.close();
    await rig.close();
  }
}

/** From the start of the link until every mirror is on the cloud's disk, in ms. */
async function resync(rig: Rig, store: TwinStore, value: number): Promise<number> {
  const url = new URL(`ws://127.0.0.1:${rig.cloudPort}/hub`);
  const link = new CloudLink({
    node: NODE,
    twins: store,
    facts: () => nodeFacts({ version: '0.0.0', mappers: [] }),
    dial: dialWebSocket({ url, clock: systemClock }),
    clock: systemClock,
    log: silentLog(),
  });
  const start = performance.now();
  link.start();
  await until(async () => {
    const wrong = await mirrorWrong(rig, value);
    return wrong === 0 ? undefined : `${wrong} properties are not mirrored`;
  });
  const took = performance.now() - start;
  link.stop();
  return took;
}

function declare(store: TwinStore): void {
  const model = sensors('offline', PROPERTIES, '1s') as DeviceModel;
  const device: Device = {
    apiVersion: 'limpet.dev/v1',
    kind: 'Device',
    metadata: { name: 'device-1' },
    spec: { model: 'offline', node: NODE, settings: {} },
  };
  store.applyManifest([model, device], 'bench');
}

async function change(store: TwinStore, times: number): Promise<void> {
  const names = Array.from({ length: PROPERTIES }, (_, i) => `sensor-${i}`);
  for (let second = 1; second <= times; second++) {
    const batch = new Map<string, Reported<number>>();
    for (const name of names) batch.set(name, { value: second, at: Date.now(), quality: 'good' });
    store.report(id, batch);
    // Lets the group commit run as it does in life.
    if (second % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function mirrorWrong(rig: Rig, value: number): Promise<number> {
  const device = (await rig.api.get(target).catch(() => undefined)) as Device | undefined;
  let wrong = 0;
  for (let i = 0; i < PROPERTIES; i++)
    if (device?.status?.twin[`sensor-${i}`]?.reported?.value !== value) wrong++;
  return wrong;
}
