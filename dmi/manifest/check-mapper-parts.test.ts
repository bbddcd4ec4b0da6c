import assert from 'node:assert/strict';
import test from 'node:test';
import * as v from 'valibot';
import { Unreachable } from '../errors.ts';
import { checkSettings, checkVisitors } from './check-mapper-parts.ts';
import type { Device, DeviceModel } from './resource.ts';
import { exact } from './schema.ts';

const mapper = {
  settings: exact({
    address: v.string(),
    password: v.optional(v.pipe(v.string(), v.minLength(8))),
  }),
  visitor: v.pipeAsync(
    exact({ register: v.number() }),
    v.checkAsync(async ({ register }) => register < 65_536, 'no such register'),
  ),
  fits: ({ register }: { register: number }, { access }: { access: string }) =>
    register >= 30_000 && access === 'readWrite' ? 'input registers cannot be written' : undefined,
};

function device(settings: Device['spec']['settings']): Device {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'Device',
    metadata: { name: 'a' },
    spec: { model: 'm', node: 'n', settings },
  };
}

const model: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'm' },
  spec: {
    protocol: 'tiny',
    properties: [
      { name: 'good', type: 'int', visitor: { register: 1 } },
      { name: 'text', type: 'int', visitor: { register: '1' } },
      { name: 'late', type: 'int', visitor: { register: 70_000 } },
      { name: 'misfit', type: 'int', access: 'readWrite', visitor: { register: 30_001 } },
    ],
  },
};

test('settings come back as the mapper made them', async () => {
  const settings = { address: 'tcp://10.0.0.5:502' };
  assert.deepEqual(await checkSettings(mapper, device(settings)), { ok: true, settings });
});

test('a fault in settings stands at its path and never shows the value', async () => {
  const checked = await checkSettings(mapper, device({ address: 12_345_678, password: 'hunter2' }));
  assert.ok(!checked.ok);
  assert.deepEqual(
    checked.faults.map(({ path }) => path),
    ['spec.settings.address', 'spec.settings.password'],
  );
  assert.doesNotMatch(JSON.stringify(checked.faults), /hunter2|12345678/);
});

test('one wrong visitor does not stop its neighbours', async () => {
  const { visitors, faults } = await checkVisitors(mapper, model);
  assert.deepEqual([...visitors], [['good', { register: 1 }]]);
  assert.deepEqual(
    faults.map(({ path, code }) => [path, code]),
    [
      ['spec.properties[1].visitor.register', 'FIELD_INVALID'],
      ['spec.properties[2].visitor', 'FIELD_INVALID'],
      ['spec.properties[3].visitor', 'VISITOR_MISFIT'],
    ],
  );
  assert.equal(faults[2]?.message, '"misfit": input registers cannot be written');
});

test("a mapper's check that throws is told as the mapper's fault", async () => {
  const broken = {
    visitor: v.custom<never>(() => {
      throw new TypeError('oops');
    }),
  };
  const { visitors, faults } = await checkVisitors(broken, model);
  assert.equal(visitors.size, 0);
  assert.ok(faults.length === 4 && faults.every(({ code }) => code === 'MAPPER_BUG'));
});

test('a message loses the value that it quotes and keeps its own words', async () => {
  const settings = { address: 'tcp', password: 'p$a.s(s' };
  const refusing = (field: keyof typeof settings, message: string) =>
    v.forward(
      v.check<typeof settings, string>(() => false, message),
      [field],
    );
  const schema = v.pipe(
    v.object({ address: v.string(), password: v.string() }),
    refusing('address', 'expected tcp://HOST:PORT, not "tcp"'),
    refusing('password', 'p$a.s(s is too short.'),
  );
  const checked = await checkSettings({ settings: schema }, device(settings));
  assert.ok(!checked.ok);
  assert.deepEqual(
    checked.faults.map(({ message }) => message),
    ['"address": expected tcp://HOST:PORT, not text', '"password": text is too short.'],
  );
});

test('a mapper that cannot be asked now is no fault of the manifest', async () => {
  const down = {
    visitor: v.pipe(
      v.unknown(),
      v.transform(() => 1),
    ),
    fits: () => Promise.reject(new Unreachable('MAPPER_DOWN', 'it is being restarted')),
  };
  await assert.rejects(checkVisitors(down, model), { code: 'MAPPER_DOWN' });
});
