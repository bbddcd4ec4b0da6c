/**
 * Promise: whatever keeps a value from arriving, `limpet why` names the stage where it stopped, with times and what to
 * do, asked of the edge and of the cloud: faults are caused at the wire, at the processes and at the link.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { DeviceModel, Explanation, Finding } from '@limpet/dmi/manifest';
import { Rig } from '../rig/rig.ts';
import { until } from '../rig/until.ts';

const LIMPET = path.resolve(import.meta.dirname, '../../cli/limpet.mjs');
const input = (address: number) => ({ register: 'input', address });
const model: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'pump' },
  spec: {
    protocol: 'modbus',
    properties: [
      { name: 'speed', type: 'int', every: '200ms', visitor: input(0) },
      { name: 'heat', type: 'int', unit: 'Cel', every: '200ms', deadband: 5, visitor: input(1) },
      { name: 'serial', type: 'int', every: '10m', visitor: input(3) },
      { name: 'limit', type: 'int', every: '200ms', maximum: 100, visitor: input(4) },
      {
        name: 'target',
        type: 'int',
        every: '200ms',
        access: 'readWrite',
        visitor: { register: 'holding', address: 2 },
      },
    ],
  },
};

type Asked = 'cloud' | 'edge';
let rig: Rig;

before(async () => {
  rig = await Rig.create();
  // So that it can be killed.
  await rig.configure({ mappers: '{ modbus: { hosting: process } }' });
  await rig.startCloud();
  await rig.startEdge();
  rig.registers.input(1)[1] = 50;
  await rig.declare(model, 1);
  for (const asked of ['edge', 'cloud'] as const) {
    await until(() => found('speed', asked, ({ stage }) => stage === 'none'));
  }
});
after(() => rig.close());

/** What the command itself prints, as a user would read it by a program. */
async function why(property: string, asked: Asked): Promise<Explanation> {
  const place =
    asked === 'edge' ? ['--edge', rig.edgeData] : ['--cloud', `http://127.0.0.1:${rig.cloudPort}`];
  const args = [LIMPET, 'why', `device-1.${property}`, '--json', ...place];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Explanation;
}

/** Of what was found, the answer; until it is as expected. */
async function found(
  property: string,
  asked: Asked,
  expected: (finding: Finding, all: Explanation) => boolean,
): Promise<string | undefined> {
  try {
    const all = await why(property, asked);
    const [first] = all.findings;
    return first !== undefined && expected(first, all) ? undefined : JSON.stringify(all);
  } catch (error) {
    return String(error); // not there yet
  }
}

const stageIs =
  (...stages: string[]) =>
  (finding: Finding): boolean =>
    stages.includes(finding.stage);

/** That it says what to do, and since when. */
function helps({ todo, since }: Finding): void {
  assert.ok(todo !== undefined && todo.length > 10, todo);
  assert.ok(since !== undefined && Date.parse(since) <= Date.now() + 1_000, since);
}

test('a value that stands still is well, and every hop of it has its time', async () => {
  const { findings, hops, from } = await why('speed', 'cloud');
  assert.deepEqual([from, findings.map(({ stage }) => stage)], ['edge', ['none']]);
  const names = ['read', 'reported', 'sent', 'acknowledged', 'mirrored'];
  assert.deepEqual(
    hops.map(({ hop }) => hop),
    names,
  );
  for (const { at } of hops) assert.ok(Math.abs(Date.now() - Date.parse(at)) < 120_000, at);
});

test('a change below the deadband is named with what was read', async () => {
  rig.registers.input(1)[1] = 53;
  for (const asked of ['edge', 'cloud'] as const) {
    await until(() => found('heat', asked, stageIs('deadband')));
    const [finding = assert.fail()] = (await why('heat', asked)).findings;
    assert.match(finding.message, /says 53 Cel .*deadband of 5 Cel from the 50 Cel last reported/);
    helps(finding);
  }
});

test('a value that is not due is named with when it is', async () => {
  await until(() => found('serial', 'edge', stageIs('schedule')));
  const [finding = assert.fail()] = (await why('serial', 'edge')).findings;
  assert.match(finding.message, /read every 10m/);
  assert.ok(Date.parse(finding.until ?? '') > Date.now());
});

test('a refused register is the device saying no, and one beyond its limits the conversion', async () => {
  rig.registers.refused.add('1/0');
  await until(() => found('speed', 'cloud', ({ code }) => code === 'MODBUS_EXCEPTION_2'));
  const [finding = assert.fail()] = (await why('speed', 'cloud')).findings;
  assert.equal(finding.stage, 'device');
  helps(finding);
  rig.registers.refused.clear();
  rig.registers.input(1)[4] = 101;
  await until(() => found('limit', 'cloud', stageIs('conversion')));
  rig.registers.input(1)[4] = 1;
  await until(() => found('speed', 'cloud', stageIs('none')));
});

test('a silent device is named with its pause, and an order waits for it', async () => {
  rig.registers.silent.add(1);
  await until(() => found('speed', 'cloud', stageIs('breaker', 'device')));
  await until(() => found('speed', 'edge', stageIs('breaker')));
  const [finding = assert.fail()] = (await why('speed', 'edge')).findings;
  assert.match(finding.message, /does not answer/);
  helps(finding);
  const target = { kind: 'Device', namespace: 'default', name: 'device-1' } as const;
  await rig.api.patch(target, { spec: { desired: { target: 7 } } });
  const waits = (_: Finding, { order }: Explanation): boolean =>
    order?.stages.stored !== undefined &&
    order.stages.sent === undefined &&
    /waits for the device/.test(order.finding?.message ?? '');
  for (const asked of ['edge', 'cloud'] as const) await until(() => found('target', asked, waits));
  rig.registers.silent.clear();
  const done = (_: Finding, { order }: Explanation): boolean =>
    order?.verdict === 'applied' && order.finding === undefined;
  await until(() => found('target', 'cloud', done), 60_000);
  await until(() => found('speed', 'cloud', stageIs('none')), 60_000);
});

test('a mapper that was killed is named, not the device behind it', async () => {
  // It is soon back: killed again and again until it is told to have restarted too often.
  let seen: Finding | undefined;
  await until(async () => {
    killMapper();
    const [first] = (await why('speed', 'edge')).findings;
    if (first?.stage === 'mapper') seen = first;
    return seen === undefined ? JSON.stringify(first) : undefined;
  }, 40_000);
  assert.match(seen?.message ?? '', /mapper/);
  helps(seen ?? assert.fail());
  await until(() => found('speed', 'cloud', stageIs('none')), 120_000);
});

test('without the cloud it is the link, with why and when it is tried next, then what waits', async () => {
  await rig.cloud?.kill();
  rig.registers.input(1)[0] = 77;
  const queued = ({ stage }: Finding, { findings }: Explanation): boolean =>
    stage === 'link' && findings[1]?.stage === 'queue';
  await until(() => found('speed', 'edge', queued));
  const { findings, reported } = await why('speed', 'edge');
  assert.equal(reported?.value, 77, 'the edge has it');
  helps(findings[0] ?? assert.fail());
  await until(() => found('speed', 'edge', ({ until: next }) => next !== undefined));
});

test('without the edge the cloud says since when, and what it was told last', async () => {
  await rig.startCloud();
  const mirrored = (_: Finding, { reported }: Explanation): boolean => reported?.value === 77;
  await until(() => found('speed', 'cloud', mirrored), 320_000, 500);
  await rig.edge?.kill();
  await until(() => found('speed', 'cloud', ({ code }) => code === 'NODE_OFFLINE'));
  const { from, findings, reported } = await why('speed', 'cloud');
  assert.deepEqual([from, findings[0]?.stage, reported?.value], ['cloud', 'link', 77]);
  helps(findings[0] ?? assert.fail());
});

/** Of all processes those that the edge has started. */
function killMapper(): void {
  const pid = rig.edge?.pid ?? assert.fail('no edge');
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  for (const child of children.split(' ').filter(Boolean)) process.kill(Number(child), 'SIGKILL');
}
