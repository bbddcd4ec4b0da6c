/**
 * Promise: the process of the MQTT mapper, from the bundle, takes what its README says, with few devices and with many,
 * while they talk; and answers throughout.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { silentLog } from '@limpet/dmi/testing';
import { systemClock } from '#runtime/kernel/clock.ts';
import { mapperCommand } from '#runtime/mapper/process/command.ts';
import { MapperProcess } from '#runtime/mapper/process/mapper-process.ts';
import { NO_PERMISSIONS, permissionsArgument } from '#runtime/mapper/sandbox/permissions.ts';
import { Mosquitto } from '../peers/mqtt-devices-bench.ts';
import { pause, until } from '../rig/until.ts';

const LOAD_MS = 10_000;
const PROPERTIES = ['temperature', 'humidity', 'battery', 'linkquality', 'voltage'];

const clock = systemClock;
const log = silentLog();
const bundle = path.resolve(import.meta.dirname, '../../dist/edge/limpet-mapper.mjs');

/** What Node 24 takes more than 22. */
const MORE_MB = Number.parseInt(process.versions.node, 10) > 22 ? 3 : 0;

/** Devices, messages a second, and the most that it may take on Node 22: MB as 1,000,000 bytes. */
for (const [devices, rate, mostMb] of [
  [20, 100, 10],
  [200, 1000, 16],
] as const) {
  test(`${devices} devices, ${devices * PROPERTIES.length} properties, ${rate} messages/s`, async (t) => {
    const { started: mosquitto, end } = await Mosquitto.inFolder();
    t.after(end);
    const child = await startMapper(t);
    await pause(2_000);
    const idle = privateMb(child.pid);
    const told = { readings: 0, lost: 0 };
    for (let number = 0; number < devices; number++) await open(child, mosquitto, number, told);
    const talk = await talking(mosquitto, devices, rate);
    let most = 0;
    const over = clock.monotonic() + LOAD_MS;
    await until(() => {
      most = Math.max(most, privateMb(child.pid));
      return clock.monotonic() < over ? 'not over' : undefined;
    }, LOAD_MS * 3);
    const { lagMs } = await child.health(AbortSignal.timeout(10_000));
    await talk.stop();
    t.diagnostic(
      `private: idle ${idle.toFixed(1)} MB, at most ${most.toFixed(1)} MB; ${talk.sent()} messages, ${told.readings} readings, lag ${lagMs.toFixed(0)} ms`,
    );
    assert.equal(told.lost, 0);
    assert.ok(told.readings > devices * PROPERTIES.length, 'it tells');
    assert.ok(most <= mostMb + MORE_MB, `${most} MB`);
  });
}

async function startMapper(t: TestContext): Promise<MapperProcess> {
  const { file, args, env } = mapperCommand({ protocol: 'mqtt' });
  const flags = args.filter(
    (each) => each.startsWith('--') && !/^--conditions|^--protocol/.test(each),
  );
  const allowed = permissionsArgument({ ...NO_PERMISSIONS, network: true });
  const heap = '--max-old-space-size=12';
  const command = { file, args: [...flags, heap, bundle, '--protocol=mqtt', allowed], env };
  const child = await MapperProcess.start({ command, protocol: 'mqtt', clock, log });
  // As the core does, which makes it look whether garbage has piled up.
  const health = setInterval(
    () => void child.health(AbortSignal.timeout(10_000)).catch(() => undefined),
    2_500,
  );
  t.after(async () => {
    clearInterval(health);
    await child.stop(2_000);
  });
  return child;
}

async function open(
  child: MapperProcess,
  { port }: Mosquitto,
  number: number,
  told: { readings: number; lost: number },
): Promise<void> {
  const settings = { broker: `mqtt://127.0.0.1:${port}`, topic: `t/${number}/state` };
  const device = `default/device-${number}`;
  const context = { device, clock, log, dial: () => Promise.reject(new Error('dialled there')) };
  const soon = AbortSignal.timeout(20_000);
  const connection = await child.mapper.connect(settings, context, soon);
  const wishes = PROPERTIES.map((name) => ({ visitor: { path: name }, everyMs: 1_000 }));
  const sink = { reading: () => void told.readings++, lost: () => void told.lost++ };
  await connection.subscribe?.(wishes, sink, new AbortController().signal);
}

/** As Zigbee sensors would, one after the other. */
async function talking(
  mosquitto: Mosquitto,
  devices: number,
  rate: number,
): Promise<{ readonly stop: () => Promise<void>; readonly sent: () => number }> {
  const client = await mosquitto.client();
  let sent = 0;
  const timer = setInterval(() => {
    for (let count = 0; count < rate / 50; count++) {
      sent++;
      const values = [20 + (sent % 97) / 10, sent % 100, 90, sent % 255, 3_000 + (sent % 7)];
      const payload = Object.fromEntries(PROPERTIES.map((name, index) => [name, values[index]]));
      client.publish(`t/${sent % devices}/state`, JSON.stringify(payload));
    }
  }, 20);
  const stop = async (): Promise<void> => {
    clearInterval(timer);
    await client.endAsync(true);
  };
  return { stop, sent: () => sent };
}

function privateMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return (Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1]) * 1024) / 1e6;
}
