import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '@limpet/dmi/testing';
import { cloudFirst } from './cloud-first.ts';

function waiting() {
  const clock = fakeClock();
  const cloud = { connected: false, cursor: 0 };
  const told: boolean[] = [];
  const cancel = cloudFirst({
    clock,
    connected: () => cloud.connected,
    cursor: () => cloud.cursor,
    done: (heard) => void told.push(heard),
  });
  return { clock, cloud, told, cancel };
}

test('the cloud is heard until it has nothing more to say', async () => {
  const { clock, cloud, told } = waiting();
  await clock.advance(500);
  cloud.connected = true;
  for (let page = 1; page <= 4; page++) {
    cloud.cursor = page;
    await clock.advance(800);
  }
  assert.deepEqual(told, []);
  await clock.advance(1_000);
  assert.deepEqual(told, [true]);
});

test('a cloud that is away, or has no end, is not waited for longer than ten seconds', async () => {
  const away = waiting();
  await away.clock.advance(9_900);
  assert.deepEqual(away.told, []);
  await away.clock.advance(200);
  assert.deepEqual(away.told, [false]);

  const endless = waiting();
  endless.cloud.connected = true;
  for (let page = 0; page < 25; page++) {
    endless.cloud.cursor++;
    await endless.clock.advance(500);
  }
  assert.deepEqual(endless.told, [false]);
});

test('an edge that stops meanwhile waits for nothing', async () => {
  const { clock, told, cancel } = waiting();
  cancel();
  await clock.advance(20_000);
  assert.deepEqual(told, []);
});
