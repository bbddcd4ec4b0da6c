import { defineMapper, type DmiError } from '@limpet/dmi';
import { recordingLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { systemClock } from '../kernel/clock.ts';
import { MapperHost } from './host.ts';

const anything = v.object({});
const good = defineMapper({
  protocol: 'knock',
  settings: anything,
  visitor: anything,
  connect: () => Promise.reject(new Error('not here')),
});

const options = { clock: systemClock, data: '/nowhere' };

function host(modules: Record<string, () => Promise<unknown>>): Promise<MapperHost> {
  const entries = Object.entries(modules).map(([protocol, load]) => [
    protocol,
    { version: '1.0.0', limpet: { protocol, importance: 7 }, load },
  ]);
  return MapperHost.open({ ...options, log: recordingLog(), table: Object.fromEntries(entries) });
}

test('a mapper of the table is loaded once, and listed', async () => {
  let loads = 0;
  const one = await host({
    knock: () => {
      loads += 1;
      return Promise.resolve({ default: good });
    },
  });
  const listed = () => {
    const { sinceMs, ...status } = one.status()[0] ?? { sinceMs: 0 };
    assert.ok(sinceMs > 0);
    return status;
  };
  const status = { protocol: 'knock', version: '1.0.0', hosting: 'inline', importance: 7 };
  assert.deepEqual(listed(), { ...status, state: 'idle', restarts: 0, superseded: 0 });
  const mapper = await one.mapper('knock');
  assert.equal(mapper.settings, good.settings);
  assert.equal(await one.mapper('knock'), mapper);
  assert.equal(loads, 1);
  assert.deepEqual(listed(), { ...status, state: 'ready', restarts: 0, superseded: 0 });
});

test('an unknown protocol is refused with the nearest installed one', async () => {
  const one = await host({ knock: () => Promise.resolve({ default: good }) });
  await assert.rejects(one.mapper('knok'), {
    name: 'Misconfigured',
    code: 'MAPPER_UNKNOWN',
    message: /installed: knock.*Did you mean "knock"/,
  });
  await assert.rejects(one.mapper('constructor'), { code: 'MAPPER_UNKNOWN' });
});

test('a bad mapper fails at load, by name, with every fault at once', async () => {
  const one = await host({
    knock: () => Promise.resolve({ default: { protocol: 'nock', visitor: anything, port: 1 } }),
  });
  await assert.rejects(one.mapper('knock'), ({ code, message }: DmiError) => {
    assert.equal(code, 'MAPPER_BROKEN');
    for (const part of ['"knock"', '"protocol"', '"settings"', '"connect"', '"port"']) {
      assert.ok(message.includes(part), part);
    }
    return !message.includes('"visitor"');
  });
  await assert.rejects((await host({ knock: () => Promise.resolve({}) })).mapper('knock'), {
    code: 'MAPPER_BROKEN',
  });
  const failing = await host({ knock: () => Promise.reject(new Error('no such add-on')) });
  await assert.rejects(failing.mapper('knock'), {
    code: 'MAPPER_BROKEN',
    message: /no such add-on/,
  });
  assert.equal(failing.status()[0]?.state, 'broken');
});
