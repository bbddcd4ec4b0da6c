import { defineMapper, type DmiError } from '@limpet/dmi';
import { recordingLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as v from 'valibot';
import { MapperHost } from './host.ts';
import { installedMappers } from './installed.ts';

const anything = v.object({});
const good = defineMapper({
  protocol: 'knock',
  settings: anything,
  visitor: anything,
  connect: () => Promise.reject(new Error('not here')),
});

function host(modules: Record<string, () => Promise<unknown>>): MapperHost {
  const entries = Object.entries(modules).map(([protocol, load]) => [
    protocol,
    { version: '1.0.0', load },
  ]);
  return new MapperHost({ log: recordingLog(), table: Object.fromEntries(entries) });
}

test('a mapper of the table is loaded once, and listed', async () => {
  let loads = 0;
  const one = host({
    knock: () => {
      loads += 1;
      return Promise.resolve({ default: good });
    },
  });
  assert.equal(await one.mapper('knock'), good);
  assert.equal(await one.mapper('knock'), good);
  assert.equal(loads, 1);
  assert.deepEqual(await one.installed(), [{ protocol: 'knock', version: '1.0.0' }]);
});

test('an unknown protocol is refused with the nearest installed one', async () => {
  const one = host({ knock: () => Promise.resolve({ default: good }) });
  await assert.rejects(one.mapper('knok'), {
    name: 'Misconfigured',
    code: 'MAPPER_UNKNOWN',
    message: /installed: knock.*Did you mean "knock"/,
  });
  await assert.rejects(one.mapper('constructor'), { code: 'MAPPER_UNKNOWN' });
});

test('a bad mapper fails at load, by name, with every fault at once', async () => {
  const one = host({
    knock: () => Promise.resolve({ default: { protocol: 'nock', visitor: anything, port: 1 } }),
  });
  await assert.rejects(one.mapper('knock'), ({ code, message }: DmiError) => {
    assert.equal(code, 'MAPPER_BROKEN');
    for (const part of ['"knock"', '"protocol"', '"settings"', '"connect"', '"port"']) {
      assert.ok(message.includes(part), part);
    }
    return !message.includes('"visitor"');
  });
  await assert.rejects(host({ knock: () => Promise.resolve({}) }).mapper('knock'), {
    code: 'MAPPER_BROKEN',
  });
  const failing = host({ knock: () => Promise.reject(new Error('no such add-on')) });
  await assert.rejects(failing.mapper('knock'), {
    code: 'MAPPER_BROKEN',
    message: /no such add-on/,
  });
});

test('installed mappers are found by their package.json; a wrong one is told and left out', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'limpet-mapper-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const install = async (name: string, manifest: string): Promise<void> => {
    const folder = join(root, 'node_modules', '@limpet', name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'package.json'), manifest);
  };
  await install('mapper-one', '{"version":"1.2.3","limpet":{"protocol":"one","hosting":"inline"}}');
  await install('mapper-two', '{"version":"1.2.3"}');
  await install('other', '{"version":"1.2.3","limpet":{"protocol":"other"}}');
  const log = recordingLog();
  const table = await installedMappers(join(root, 'a', 'b'), log);
  assert.deepEqual(Object.keys(table), ['one']);
  assert.equal(log.lines.length, 1);
});
