/**
 * Promise: whoever is killed, whenever, no acknowledged desired value is lost, none is applied out of order,
 * and once the killing stops the mirrors say what the registers hold.
 *
 * kill -9 of the edge, the cloud or both at seeded random moments while orders are placed and registers
 * change. `LIMPET_CUTS` (default 200) and `LIMPET_SEED` set how many and which.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { seeded } from '../rig/random.ts';
import { Rig } from '../rig/rig.ts';
import { pause, until } from '../rig/until.ts';

const CUTS = Number(process.env['LIMPET_CUTS'] ?? 200);
const SEED = Number(process.env['LIMPET_SEED'] ?? Date.now() % 1_000_000);
const DEVICES = 3;
const SETPOINTS = 4;
const SENSORS = 4;
/** Cuts between two moments of quiet in which everything is compared. */
const ROUND = 20;

const model: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'cut' },
  spec: {
    protocol: 'modbus',
    properties: [
      ...range(SETPOINTS).map((i) => ({
        name: `setpoint-${i}`,
        type: 'int' as const,
        access: 'readWrite' as const,
        every: '200ms',
        visitor: { register: 'holding', address: 10 + i },
      })),
      ...range(SENSORS).map((i) => ({
        name: `sensor-${i}`,
        type: 'int' as const,
        every: '100ms',
        visitor: { register: 'input', address: i },
      })),
    ],
  },
};

const random = seeded(SEED);
const pick = (below: number) => Math.floor(random() * below);
/** Per `device-1.setpoint-0`: the last value whose order was acknowledged, and the last one that was tried. */
const acknowledged = new Map<string, number>();
const tried = new Map<string, number>();
let rig: Rig;
let acknowledgements = 0;
/** While true, no orders are placed and no register changes, so that both ends can be compared exactly. */
let quiet = false;

before(async () => {
  rig = await Rig.create();
  await rig.startCloud();
  await rig.startEdge();
  await rig.declare(model, DEVICES);
});
after(() => rig.close());

test(`${CUTS} cuts lose nothing and reorder nothing (seed ${SEED})`, async (t) => {
  const stopped = new AbortController();
  const load = [placeOrders(stopped.signal), changeRegisters(stopped.signal)];
  for (let cut = 1; cut <= CUTS; cut++) {
    await pause(pick(400));
    await cutOnce(['edge', 'cloud', 'both'][pick(3)] ?? 'both');
    if (cut % ROUND > 0 && cut < CUTS) continue;
    quiet = true;
    await until(converged, 60_000);
    quiet = false;
    t.diagnostic(`${cut} cuts, ${acknowledgements} orders acknowledged, converged`);
  }
  stopped.abort();
  await Promise.all(load);
  await until(converged, 60_000);
  assertOrder();
  assert.ok(acknowledgements > CUTS, `only ${acknowledgements} orders were acknowledged`);
  t.diagnostic(
    `${CUTS} cuts: ${acknowledgements} orders acknowledged, 0 lost; ${rig.registers.writes.length} writes on the wire, 0 out of order`,
  );
});

/** Kills and starts again, after a moment in which the other side is alone. */
async function cutOnce(victim: string): Promise<void> {
  const edge = victim !== 'cloud';
  const cloud = victim !== 'edge';
  await Promise.all([edge && rig.edge?.kill(), cloud && rig.cloud?.kill()]);
  if (random() < 0.5) await pause(pick(300));
  await Promise.all([edge && rig.startEdge(), cloud && rig.startCloud()]);
}

/** Each property's orders count up, so that order on the wire can be judged by value. */
async function placeOrders(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (quiet) {
      await pause(20);
      continue;
    }
    const device = `device-${1 + pick(DEVICES)}`;
    const property = `setpoint-${pick(SETPOINTS)}`;
    const key = `${device}.${property}`;
    const value = (tried.get(key) ?? 0) + 1;
    tried.set(key, value);
    const target = { kind: 'Device', namespace: 'default', name: device } as const;
    try {
      await rig.api.patch(target, { spec: { desired: { [property]: value } } });
      acknowledged.set(key, value);
      acknowledgements++;
    } catch {
      await pause(20); // the cloud is down: nothing was acknowledged, which is what this scenario is about
    }
    await pause(5);
  }
}

async function changeRegisters(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (!quiet) rig.registers.input(1 + pick(DEVICES))[pick(SENSORS)] = pick(60_000);
    await pause(20);
  }
}

/** What is still wrong, or undefined. */
async function converged(): Promise<string | undefined> {
  for (let unit = 1; unit <= DEVICES; unit++) {
    const target = { kind: 'Device', namespace: 'default', name: `device-${unit}` } as const;
    const device = (await rig.api.get(target).catch(() => undefined)) as Device | undefined;
    if (device === undefined) return `device-${unit} cannot be got`;
    const wrong = setpointsWrong(device, unit) ?? sensorsWrong(device, unit);
    if (wrong !== undefined) return `device-${unit}: ${wrong}\nedge:\n${rig.edge?.lastLines}`;
  }
  return undefined;
}

function setpointsWrong(device: Device, unit: number): string | undefined {
  for (const i of range(SETPOINTS)) {
    const name = `setpoint-${i}`;
    const atLeast = acknowledged.get(`device-${unit}.${name}`);
    if (atLeast === undefined) continue;
    const held = rig.registers.holding(unit)[10 + i];
    const wrong = setpointWrong(device.status?.twin[name], atLeast, held);
    if (wrong !== undefined) return `${name}: ${wrong}`;
  }
  return undefined;
}

type Twin = NonNullable<Device['status']>['twin'][string];

function setpointWrong(
  twin: Twin | undefined,
  atLeast: number,
  held: number | undefined,
): string | undefined {
  const { desired, reported } = twin ?? {};
  const wanted = Number(desired?.value ?? 0);
  if (wanted < atLeast) return `${atLeast} was acknowledged, ${wanted} is wanted: lost`;
  if (held !== wanted) return `${wanted} is wanted, the register holds ${held}`;
  if (desired?.verdict !== 'applied') return `verdict ${desired?.verdict}`;
  if (reported?.value !== wanted) return `mirror ${JSON.stringify(reported)}`;
  return undefined;
}

function sensorsWrong(device: Device, unit: number): string | undefined {
  for (const i of range(SENSORS)) {
    const reported = device.status?.twin[`sensor-${i}`]?.reported;
    const held = rig.registers.input(unit)[i];
    if (reported?.value !== held || reported?.quality !== 'good')
      return `sensor-${i}: register ${held}, mirror ${JSON.stringify(reported)}`;
  }
  return undefined;
}

/** On the wire a property's values never go back: an older order is never written after a newer one. */
function assertOrder(): void {
  const last = new Map<string, number>();
  for (const { unit, address, value } of rig.registers.writes) {
    const key = `${unit}/${address}`;
    const before = last.get(key) ?? 0;
    assert.ok(
      value >= before,
      `unit ${unit} register ${address}: ${value} was written after ${before}`,
    );
    last.set(key, value);
  }
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
