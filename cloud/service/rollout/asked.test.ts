/** UPDATE through the query endpoint of a whole service, and the runner that takes it up. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Rollout } from '@limpet/dmi/manifest';
import { ApiClient } from '#protocol/api';
import { type CloudService, startCloud } from '../main.ts';
import { BOILER, BOILER_1, silent } from '../testing.ts';

const UPDATE = "UPDATE devices SET desired.setpoint = 60 WHERE model = 'boiler' WITH batch = 5";
const folder = mkdtempSync(join(tmpdir(), 'limpet-asked-'));
let cloud: CloudService;
let api: ApiClient;

before(async () => {
  cloud = await startCloud({ data: folder, listen: '127.0.0.1:0', log: silent });
  api = new ApiClient({ url: cloud.url });
  await api.create(BOILER);
  await api.create(BOILER_1);
});
after(async () => {
  await cloud.close();
  rmSync(folder, { recursive: true, force: true });
});

async function ask(body: object | string): Promise<{ status: number; answer: unknown }> {
  const path = `${cloud.url}/apis/limpet.dev/v1/query`;
  const response =
    typeof body === 'string'
      ? await fetch(`${path}?query=${encodeURIComponent(body)}`)
      : await fetch(path, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
  return { status: response.status, answer: await response.json() };
}

test('an UPDATE begins a rollout and is answered with it; DRY RUN only says what it would do', async () => {
  const dry = await ask({ query: `${UPDATE} DRY RUN` });
  assert.equal(dry.status, 200, JSON.stringify(dry.answer));
  assert.equal((dry.answer as Rollout).status?.preview?.devices, 1);
  assert.deepEqual((await api.list('Rollout')).items, []);
  const { status, answer } = await ask({ query: UPDATE, name: 'warm' });
  assert.equal(status, 200, JSON.stringify(answer));
  assert.equal((answer as Rollout).metadata.name, 'warm');
  const target = { kind: 'Rollout', namespace: 'default', name: 'warm' } as const;
  for (;;) {
    const { status: now } = (await api.get(target)) as Rollout;
    if (now?.phase === 'Canary') break;
    assert.equal(now?.phase, 'Planned');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { items } = await api.outcomes(target, { limit: 1 });
  assert.deepEqual(
    items.map(({ device, state, before: was }) => [device, state, was]),
    [['default/boiler-1', 'sent', { setpoint: 55 }]],
  );
});

test('it is named after its property where it is given no name, and two of a name are refused', async () => {
  const { answer } = await ask({ query: UPDATE });
  assert.match((answer as Rollout).metadata.name, /^setpoint-[a-z0-9]{5}$/);
  assert.equal((await ask({ query: UPDATE, name: 'warm' })).status, 409);
});

test('a GET begins nothing, and a slip is refused with its place in the query', async () => {
  assert.equal((await ask(UPDATE)).status, 405);
  const { status, answer } = await ask({ query: UPDATE.replace('model', 'modle') });
  assert.equal(status, 400);
  const [cause] = (answer as { details: { causes: { field: string; offset: number }[] } }).details
    .causes;
  assert.deepEqual([cause?.field, cause?.offset], ['query', UPDATE.indexOf('model')]);
});
