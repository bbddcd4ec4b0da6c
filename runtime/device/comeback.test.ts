import { type Away, type Mapper, type MapperContext, Unreachable } from '@limpet/dmi';
import assert from 'node:assert/strict';
import { type Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { BOILER, device, rig } from './fixtures.ts';

interface Asked {
  readonly away: Away<unknown>;
  readonly signal: AbortSignal;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A boiler whose mapper hears when it is back; it is away, and its backoff has grown to minutes. */
async function away(t: TestContext, dials = false) {
  const asked: Asked[] = [];
  const wires: Duplex[] = [];
  const host = { mapper: () => Promise.resolve(mapper as Mapper<unknown, unknown>) };
  const rigged = rig(t, { host, random: () => 1 });
  const { plant, apply, clock } = rigged;
  const back = async (its: Away<unknown>, context: MapperContext, signal: AbortSignal) => {
    if (dials) wires.push(await context.dial('tcp://broker:1883', signal));
    await new Promise<void>((resolve, reject) => {
      asked.push({ away: its, signal, resolve, reject });
    });
  };
  const mapper: object = { ...plant.mapper, back };
  const thing = plant.thing('boiler-1');
  thing.values.set('temperature', 61.5).set('setpoint', 55);
  thing.mood = 'dead';
  apply(BOILER, device('boiler-1'));
  await clock.advance(400_000);
  const latest = (): Asked => asked.at(-1) ?? assert.fail('the mapper was not asked');
  return { ...rigged, asked, latest, thing, wires, mapper };
}

test('a device that its mapper hears again is tried at once, not when backoff says', async (t) => {
  const { clock, latest, thing, state } = await away(t);
  const { away: told, signal } = latest();
  assert.deepEqual([told.code, told.settings], ['PLANT_SILENT', { name: 'boiler-1' }]);
  await clock.advance(6_000);
  const { connects } = thing;
  thing.mood = 'well';
  await clock.advance(6_000);
  assert.equal(thing.connects, connects, 'backoff leaves it alone');
  latest().resolve();
  await clock.advance(100);
  assert.equal(state('boiler-1'), 'online');
  assert.ok(signal.aborted, 'nobody waits any more');
});

test('a device that says again and again that it is back is tried once in five seconds at most', async (t) => {
  const { clock, latest, thing } = await away(t);
  const { connects } = thing;
  for (let ms = 0; ms < 60_000; ms += 100) {
    latest().resolve();
    await clock.advance(100);
  }
  assert.ok(thing.connects - connects >= 11, 'it is tried');
  assert.ok(thing.connects - connects <= 13, `and not ${thing.connects - connects} times`);
});

test('a mapper that cannot hear it leaves it to backoff', async (t) => {
  const { clock, latest, thing, state, asked } = await away(t);
  const [{ connects }, count] = [thing, asked.length];
  latest().reject(new Error('the broker is gone as well'));
  await clock.advance(20_000);
  assert.equal(thing.connects, connects);
  thing.mood = 'well';
  await clock.advance(300_000);
  assert.equal(state('boiler-1'), 'online');
  assert.equal(asked.length, count, 'asked once after each try');
});

test('a mapper that is not there while the device is away leaves it to backoff', async (t) => {
  const { clock, thing, state, mapper } = await away(t);
  Object.defineProperty(mapper, 'back', {
    get: () => {
      throw new Unreachable('MAPPER_DOWN', 'the mapper has ended');
    },
  });
  await clock.advance(300_000);
  const { connects } = thing;
  await clock.advance(300_000);
  assert.ok(thing.connects > connects, 'it is still tried');
  thing.mood = 'well';
  await clock.advance(300_000);
  assert.equal(state('boiler-1'), 'online');
});

test('of a device that is removed nothing is kept that waits for it', async (t) => {
  const { devices, latest, wires, clock } = await away(t, true);
  const { signal } = latest();
  assert.equal(wires.at(-1)?.destroyed, false);
  const stopped = devices.stop();
  await clock.advance(100);
  await stopped;
  assert.ok(signal.aborted);
  assert.ok(wires.every(({ destroyed }) => destroyed));
});
