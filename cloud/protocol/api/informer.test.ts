/** The informers of Kubernetes' own client for JavaScript, against our front over real HTTP. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import {
  CustomObjectsApi,
  type Informer,
  KubeConfig,
  type KubernetesListObject,
  type KubernetesObject,
  makeInformer,
  type ObjectCache,
} from '@kubernetes/client-node';
import type { Document } from './backend.ts';
import { device, realClock, serve, type Served, target } from './testing.ts';

const PATH = '/apis/limpet.dev/v1/namespaces/default/devices';

test('an informer holds what there is, through changes, ended watches and forgotten deletions', async (t) => {
  await using served = await serve({ limits: { watchMs: 300 } });
  const { backend } = served;
  for (const name of ['a', 'b', 'c']) create(served, name);
  const { informer, heard, lists } = inform(t, served);
  await informer.start();
  await until(() => held(informer) === 'a b c');
  create(served, 'd');
  backend.patch(target('a'), { metadata: { labels: { hall: 'south' } } });
  backend.remove(target('b'), {});
  await until(() => held(informer) === 'a c d');
  assert.equal(informer.get('a', 'default')?.metadata?.labels?.['hall'], 'south');
  assert.deepEqual(heard.slice(3).toSorted(), ['add d', 'delete b', 'update a']);
  // Watches end and are opened again, from where they were.
  await until(() => served.front.counts().watches === 0);
  create(served, 'e');
  await until(() => held(informer) === 'a c d e');
  assert.equal(lists(), 1, 'nothing was listed again');
  // What it cannot be told any more it finds out by listing.
  backend.remove(target('c'), {});
  backend.forgetDeletions();
  await until(() => held(informer) === 'a d e');
  assert.ok(heard.includes('delete c'));
  assert.ok(lists() > 1, 'it listed again');
});

test('an informer with a selector sees come and go what begins and ceases to match', async (t) => {
  await using served = await serve();
  create(served, 'a', 'north');
  create(served, 'b', 'south');
  const { informer } = inform(t, served, 'hall=north');
  await informer.start();
  await until(() => held(informer) === 'a');
  served.backend.patch(target('b'), { metadata: { labels: { hall: 'north' } } });
  await until(() => held(informer) === 'a b');
  served.backend.patch(target('a'), { metadata: { labels: { hall: 'east' } } });
  await until(() => held(informer) === 'b');
});

type DeviceInformer = Informer<KubernetesObject> & ObjectCache<KubernetesObject>;

function inform(t: TestContext, { url }: Served, labelSelector?: string) {
  const config = new KubeConfig();
  // It refuses plain HTTP otherwise.
  config.loadFromClusterAndUser(
    { name: 'limpet', server: url, skipTLSVerify: true },
    { name: 'me' },
  );
  const api = config.makeApiClient(CustomObjectsApi);
  let count = 0;
  const list = async (): Promise<KubernetesListObject<KubernetesObject>> => {
    count += 1;
    const asked = { group: 'limpet.dev', version: 'v1', namespace: 'default', plural: 'devices' };
    const selected = { ...asked, ...(labelSelector !== undefined && { labelSelector }) };
    return (await api.listNamespacedCustomObject(
      selected,
    )) as KubernetesListObject<KubernetesObject>;
  };
  const informer = makeInformer(config, PATH, list, labelSelector);
  const heard: string[] = [];
  for (const event of ['add', 'update', 'delete'] as const) {
    informer.on(event, ({ metadata }) => heard.push(`${event} ${metadata?.name}`));
  }
  const again = (): void => void informer.start();
  informer.on('error', again);
  t.after(() => {
    informer.off('error', again);
    return informer.stop();
  });
  return { informer, heard, lists: () => count };
}

function held(informer: DeviceInformer): string {
  const names = informer.list().map(({ metadata }) => metadata?.name ?? '');
  return names.toSorted((a, b) => (a < b ? -1 : 1)).join(' ');
}

function create({ backend }: Served, name: string, hall = 'north'): void {
  backend.create(target(name), device(name, { labels: { hall } }) as unknown as Document);
}

/** Patient: other tests run at the same time. */
async function until(condition: () => boolean): Promise<void> {
  const started = realClock.monotonic();
  while (!condition()) {
    assert.ok(realClock.monotonic() - started < 30_000, 'it never came so');
    await realClock.sleep(10);
  }
}
