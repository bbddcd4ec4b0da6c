import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Device } from '@limpet/dmi/manifest';
import { ApiError } from '../cloud/protocol/api/status.ts';
import type { Api } from './api.ts';
import { follow } from './follow.ts';

type Watched = Exclude<Awaited<ReturnType<ReturnType<Api['watch']>['next']>>['value'], void>;

test('after a lost connection only what changed meanwhile is told', async () => {
  const [one, two, three] = [device('one', 1), device('two', 2), device('three', 3)];
  const lists = [
    [one, two],
    [device('one', 1), device('two', 5), three],
  ];
  const watches = [[{ type: 'DELETED', object: three }], []] as const;
  const told = await steps(lists, watches, 4);
  assert.deepEqual(told, [
    'list ADDED one 1, ADDED two 2',
    'change DELETED three 3',
    'lost',
    'list MODIFIED two 5, ADDED three 3',
  ]);
});

test('what vanished while the connection was away is told as deleted', async () => {
  const told = await steps([[device('one', 1)], []], [[], []], 3);
  assert.deepEqual(told, ['list ADDED one 1', 'lost', 'list DELETED one 1']);
});

test('a watch that is too old lists again, a refusal ends it', async () => {
  const told = await steps(
    [[device('one', 1)], [device('one', 2)]],
    [new ApiError('Expired', 'old'), []],
    3,
  );
  assert.deepEqual(told, ['list ADDED one 1', 'lost', 'list MODIFIED one 2']);
  await assert.rejects(steps([[]], [new ApiError('Forbidden', 'no')], 3), /no/);
});

test('a first connection that cannot be made is not waited for', async () => {
  await assert.rejects(steps([], [], 1), /nobody there/);
});

/** The first `count` steps, as words, over these lists and watches, one after the other. */
async function steps(
  lists: readonly (readonly Device[])[],
  watches: readonly (readonly unknown[] | Error)[],
  count: number,
): Promise<string[]> {
  const left = { lists: [...lists], watches: [...watches] };
  const api: Pick<Api, 'list' | 'watch'> = {
    list: async () => {
      const items = left.lists.shift();
      if (items === undefined) throw new Error('nobody there');
      return { items: [...items], resourceVersion: '9' };
    },
    async *watch() {
      const events = left.watches.shift() ?? [];
      if (events instanceof Error) throw events;
      for (const event of events) yield event as Watched;
    },
  };
  const told: string[] = [];
  const options = { signal: new AbortController().signal, sleep: async () => {} };
  for await (const step of follow(api, { kind: 'Device' }, options)) {
    const changes =
      step.kind === 'list' ? step.changes : step.kind === 'change' ? [step.change] : [];
    const words = changes.map(
      ({ type, object }) => `${type} ${object.metadata.name} ${object.metadata.resourceVersion}`,
    );
    told.push([step.kind, words.join(', ')].join(' ').trim());
    if (told.length === count) break;
  }
  return told;
}

function device(name: string, version: number): Device {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'Device',
    metadata: { name, namespace: 'default', resourceVersion: String(version) },
    spec: { model: 'm', node: 'n', settings: {} },
  };
}
