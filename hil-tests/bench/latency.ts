/** How long a change takes: from the register read by the edge to the mirror in the cloud, and an order to its confirmation. */
import type { Device } from '@limpet/dmi/manifest';
import { setAndWait } from '../../cli/set/set-and-wait.ts';
import { Rig } from '../rig/rig.ts';
import { until } from '../rig/until.ts';
import { type Figure, ms } from './figure.ts';
import { sensors } from './models.ts';
import { quantile } from './quantile.ts';

const SAMPLES = 300;
const target = { kind: 'Device', namespace: 'default', name: 'device-1' } as const;

export async function latency(): Promise<readonly Figure[]> {
  const rig = await Rig.create();
  try {
    await rig.startCloud();
    await rig.startEdge();
    await rig.declare(sensors('latency', 10, '20ms'), 1);
    await until(async () => {
      const { status } = (await rig.api.get(target)) as Device;
      return status?.twin['sensor-0']?.reported?.quality === 'good' ? undefined : 'no reading yet';
    });
    return [...(await changes(rig)), ...(await orders(rig))];
  } finally {
    await rig.close();
  }
}

/**
 * The clock starts when the device answers the read that carries the new value (so the sampling period is
 * left out) and stops when a watch of the cloud's API tells it, which it does once it is on the cloud's disk.
 */
async function changes(rig: Rig): Promise<readonly Figure[]> {
  const controller = new AbortController();
  const took: number[] = [];
  const registers = rig.registers.input(1);
  let readAt: number | undefined;
  let value = 1;
  rig.registers.onRead = () => (readAt ??= performance.now());
  const set = (): void => {
    readAt = undefined;
    registers[0] = value;
  };
  set();
  const one = { namespace: 'default', fieldSelector: 'metadata.name=device-1' };
  for await (const event of rig.api.watch('Device', one, controller.signal)) {
    if (event.type === 'BOOKMARK') continue;
    const { status } = event.object as Device;
    if (status?.twin['sensor-0']?.reported?.value !== value || readAt === undefined) continue;
    took.push(performance.now() - readAt);
    if (took.length === SAMPLES) break;
    value++;
    set();
  }
  controller.abort();
  rig.registers.onRead = undefined;
  return [
    ms('register change to cloud mirror, p50', quantile(took, 0.5), '< 10 ms'),
    ms('register change to cloud mirror, p99', quantile(took, 0.99), '< 50 ms'),
  ];
}

async function orders(rig: Rig): Promise<readonly Figure[]> {
  const took: number[] = [];
  for (let value = 1; value <= SAMPLES; value++) {
    const start = performance.now();
    const order = { namespace: 'default', name: 'device-1', property: 'setpoint', value };
    const outcome = await setAndWait(rig.api, order, { wait: 'confirmed', timeoutMs: 10_000 });
    if (outcome.kind !== 'reached') throw new Error(`order ${value} ended as ${outcome.kind}`);
    took.push(performance.now() - start);
  }
  return [
    ms('limpet set --wait confirmed, p50', quantile(took, 0.5)),
    ms('limpet set --wait confirmed, p99', quantile(took, 0.99), '< 100 ms + one bus turn'),
  ];
}
