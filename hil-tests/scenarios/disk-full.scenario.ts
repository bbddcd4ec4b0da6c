/**
 * Promise: on a full disk the edge acknowledges nothing it cannot keep, goes on reading, says so once, and
 * loses nothing when there is room again.
 *
 * A tmpfs of 3 MiB, filled to the last byte. Needs root, to mount it.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { Rig } from '../rig/rig.ts';
import { pause, until } from '../rig/until.ts';

const model: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'full' },
  spec: {
    protocol: 'modbus',
    properties: [
      { name: 'sensor', type: 'int', every: '100ms', visitor: { register: 'input', address: 0 } },
      {
        name: 'setpoint',
        type: 'int',
        access: 'readWrite',
        every: '200ms',
        visitor: { register: 'holding', address: 10 },
      },
    ],
  },
};

const target = { kind: 'Device', namespace: 'default', name: 'device-1' } as const;
const root = process.getuid?.() === 0;
const disk = mkdtempSync(path.join(tmpdir(), 'limpet-disk-'));
let rig: Rig;

before(async () => {
  if (!root) return;
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'limpet-rig', disk]);
  rig = await Rig.create({ edgeData: disk });
  await rig.startCloud();
  await rig.startEdge();
  await rig.declare(model, 1);
});
after(async () => {
  if (root) {
    await rig.close();
    execFileSync('umount', [disk]);
  }
  rmSync(disk, { recursive: true, force: true });
});

test(
  'a full disk refuses orders, keeps readings, and loses nothing',
  {
    skip: root ? false : 'needs root to mount a tiny tmpfs',
  },
  async () => {
    await order(1);
    await until(() => stage((desired) => desired?.verdict === 'applied' && desired.value === 1));

    const junk = path.join(disk, 'junk');
    fill(junk);

    await assert.rejects(
      rig.edgeApi.patch(target, { spec: { desired: { setpoint: 3 } } }),
      /disk|room|space/i,
      'a local order that cannot be kept is refused',
    );
    await order(2);
    rig.registers.input(1)[0] = 4242;
    await until(() => reported(4242), 60_000);
    await pause(1000);
    const desired = (await device()).status?.twin['setpoint']?.desired;
    assert.equal(desired?.value, 2, 'the cloud keeps what it accepted');
    assert.equal(
      desired?.stages.stored,
      undefined,
      'the edge did not acknowledge what it could not keep',
    );
    assert.equal(rig.registers.holding(1)[10], 1, 'nothing was written for it');

    rmSync(junk);
    await until(() => stage((now) => now?.verdict === 'applied' && now.value === 2), 60_000);
    assert.equal(rig.registers.holding(1)[10], 2);

    // What was read meanwhile is on the disk: it survives a kill.
    await until(() => reported(4242), 60_000);
    await pause(1500);
    await rig.edge?.kill();
    await rig.registers.close();
    await rig.startEdge();
    const local = (await rig.edgeApi.get(target)) as Device;
    assert.equal(local.status?.twin['sensor']?.reported?.value, 4242);
  },
);

function order(value: number): Promise<unknown> {
  return rig.api.patch(target, { spec: { desired: { setpoint: value } } });
}

async function device(): Promise<Device> {
  return (await rig.api.get(target)) as Device;
}

type Desired = NonNullable<NonNullable<Device['status']>['twin'][string]['desired']>;

async function stage(
  right: (desired: Desired | undefined) => boolean,
): Promise<string | undefined> {
  const desired = (await device()).status?.twin['setpoint']?.desired;
  return right(desired) ? undefined : `desired ${JSON.stringify(desired)}\n${rig.edge?.lastLines}`;
}

/** Whatever its quality: while the disk is full the link comes and goes, with each try to store the order. */
async function reported(value: number): Promise<string | undefined> {
  const now = (await device()).status?.twin['sensor']?.reported;
  return now?.value === value ? undefined : JSON.stringify(now);
}

/** Writes until the file system says that it is full. */
function fill(file: string): void {
  const fd = openSync(file, 'w');
  for (const size of [65_536, 4_096, 512, 1]) {
    for (;;) {
      try {
        writeSync(fd, Buffer.alloc(size));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOSPC') break;
        throw error;
      }
    }
  }
  closeSync(fd);
}
