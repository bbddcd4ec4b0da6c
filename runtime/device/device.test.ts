import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOILER, device, model, rig } from './fixtures.ts';

function heated(plant: ReturnType<typeof rig>['plant'], name = 'boiler-1') {
  const thing = plant.thing(name);
  thing.values.set('temperature', 61.5).set('setpoint', 55);
  return thing;
}

const GOOD = (value: unknown) => ({ value, quality: 'good', code: undefined });

test('a register becomes a reported value, and the device is online', async (t) => {
  const { plant, apply, clock, reported, state } = rig(t);
  heated(plant);
  apply(BOILER, device('boiler-1'));
  await clock.advance(100);
  assert.deepEqual(reported('boiler-1.temperature'), GOOD(61.5));
  assert.equal(state('boiler-1'), 'online');
});

test('one refused register does not spoil the batch', async (t) => {
  const { plant, apply, clock, reported, state } = rig(t);
  heated(plant).refused.add('setpoint');
  apply(BOILER, device('boiler-1'));
  await clock.advance(100);
  assert.deepEqual(reported('boiler-1.temperature'), GOOD(61.5));
  assert.deepEqual(reported('boiler-1.setpoint'), {
    value: null,
    quality: 'bad',
    code: 'PLANT_NO_SUCH',
  });
  assert.equal(state('boiler-1'), 'online');
});

test('the period is kept without drift', async (t) => {
  const { plant, apply, clock } = rig(t);
  const thing = heated(plant);
  thing.answerMs = 30;
  apply(BOILER, device('boiler-1'));
  await clock.advance(10_500);
  // The first reading is at once, the others in the phase of the device.
  const [first = 0, second = 0, ...others] = thing.readTimes;
  assert.equal(second - first, 500);
  assert.deepEqual(
    others.map((at) => at - second),
    Array.from({ length: others.length }, (_, cycle) => (cycle + 1) * 1_000),
  );
  assert.equal(thing.readTimes.length, 12);
});

test('a lost device is told once, its last values are stale, and it comes back', async (t) => {
  const { plant, apply, clock, reported, state, log } = rig(t);
  const thing = heated(plant);
  apply(BOILER, device('boiler-1'));
  await clock.advance(1_500);
  thing.mood = 'dead';
  await clock.advance(60_000);
  assert.equal(state('boiler-1'), 'offline');
  assert.deepEqual(reported('boiler-1.temperature'), {
    value: 61.5,
    quality: 'stale',
    code: 'DEVICE_OFFLINE',
  });
  thing.mood = 'well';
  await clock.advance(300_000);
  assert.equal(state('boiler-1'), 'online');
  assert.deepEqual(reported('boiler-1.temperature'), GOOD(61.5));
  const told = log.lines.filter(({ message }) => message.startsWith('device '));
  assert.deepEqual(
    told.filter(({ level }) => level !== 'debug').map(({ message }) => message),
    ['device online', 'device lost', 'device back'],
  );
});

test('a hung read costs only its own device, and that one only a while', async (t) => {
  const { plant, apply, clock, state } = rig(t, { random: () => 0 });
  const hung = heated(plant, 'boiler-1');
  const other = heated(plant, 'boiler-2');
  apply(BOILER, device('boiler-1'), device('boiler-2'));
  await clock.advance(500);
  hung.mood = 'hung';
  await clock.advance(11_000);
  assert.equal(state('boiler-1'), 'offline');
  assert.equal(hung.open, 0, 'its connection was closed');
  assert.equal(other.readTimes.length, 12);
  hung.mood = 'well';
  await clock.advance(60_000);
  assert.equal(state('boiler-1'), 'online');
});

test('a value that cannot be read for three periods is stale though the device is connected', async (t) => {
  const { plant, apply, clock, reported, state } = rig(t);
  const thing = heated(plant);
  apply(BOILER, device('boiler-1'));
  await clock.advance(500);
  thing.answerMs = 5_000;
  await clock.advance(4_000);
  assert.equal(state('boiler-1'), 'online');
  assert.equal(reported('boiler-1.temperature').code, 'OVERDUE');
  await clock.advance(2_000);
  assert.deepEqual(reported('boiler-1.temperature'), GOOD(61.5));
});

test('a bug thrown by a mapper restarts only that device', async (t) => {
  const { plant, apply, clock, state, reported, log } = rig(t);
  const buggy = heated(plant, 'boiler-1');
  const other = heated(plant, 'boiler-2');
  apply(BOILER, device('boiler-1'), device('boiler-2'));
  await clock.advance(500);
  buggy.mood = 'buggy';
  await clock.advance(3_000);
  assert.equal(state('boiler-1'), 'offline');
  assert.equal(reported('boiler-1.temperature').quality, 'stale');
  assert.equal(log.lines.filter(({ message }) => message === 'mapper fault').length, 1);
  assert.equal(other.connects, 1);
  assert.equal(state('boiler-2'), 'online');
  buggy.mood = 'well';
  await clock.advance(60_000);
  assert.equal(state('boiler-1'), 'online');
});

test('a fault of the runtime itself while a device is lost does not end its life', async (t) => {
  const { plant, apply, clock, state, store, log } = rig(t);
  const thing = heated(plant, 'boiler-1');
  apply(BOILER, device('boiler-1'));
  await clock.advance(500);
  const condition = t.mock.method(store, 'condition', () => {
    throw new TypeError('a bug');
  });
  thing.mood = 'dead';
  await clock.advance(10_000);
  assert.ok(log.lines.some(({ message }) => message.startsWith('device failed unexpectedly')));
  condition.mock.restore();
  thing.mood = 'well';
  await clock.advance(600_000);
  assert.equal(state('boiler-1'), 'online');
});

test('a device that is wrong says every fault at once, and stops no other', async (t) => {
  const { plant, apply, clock, state, store } = rig(t);
  heated(plant, 'boiler-2');
  const wrong = model('wrong', [
    { name: 'a', visitor: { kez: 'a' } },
    { name: 'b', visitor: {} },
  ]);
  apply(BOILER, wrong, device('boiler-1', { nam: 'x' }, { model: 'wrong' }), device('boiler-2'));
  await clock.advance(500);
  assert.equal(state('boiler-1'), 'misconfigured');
  const { reason } = store.twin('default/boiler-1')?.condition ?? {};
  assert.equal(reason?.code, 'DEVICE_INVALID');
  for (const path of ['spec.settings.nam', 'properties[0].visitor', 'properties[1].visitor']) {
    assert.ok(reason?.message.includes(path), `${path} in ${reason?.message}`);
  }
  assert.equal(state('boiler-2'), 'online');
});

test('an unknown model is said, and the device starts when the model comes', async (t) => {
  const { plant, apply, clock, state, store } = rig(t);
  heated(plant);
  apply(device('boiler-1'));
  await clock.advance(100);
  assert.equal(store.twin('default/boiler-1')?.condition.reason?.code, 'MODEL_MISSING');
  apply(BOILER);
  await clock.advance(100);
  assert.equal(state('boiler-1'), 'online');
});

test('an edited property list keeps the connection; other settings need a new one', async (t) => {
  const { plant, apply, clock, reported } = rig(t);
  const thing = heated(plant);
  thing.values.set('pressure', 2.5);
  apply(BOILER, device('boiler-1'));
  await clock.advance(1_500);
  apply(model('boiler', [{ name: 'temperature', deadband: 1 }, { name: 'pressure' }]));
  await clock.advance(100);
  assert.deepEqual(reported('boiler-1.pressure'), GOOD(2.5));
  assert.equal(thing.connects, 1);
  heated(plant, 'other').values.set('pressure', 7);
  apply(device('boiler-1', { name: 'other' }));
  await clock.advance(100);
  assert.deepEqual(reported('boiler-1.pressure'), GOOD(7));
  assert.equal(thing.open, 0);
});

test('a device that is removed is closed, and a device of another node never opened', async (t) => {
  const { plant, clock, store } = rig(t);
  const thing = heated(plant);
  const elsewhere = heated(plant, 'boiler-2');
  const foreign = device('boiler-2', { name: 'boiler-2' }, { node: 'gateway-2' });
  store.applyManifest([BOILER, device('boiler-1'), foreign], 'test');
  await clock.advance(100);
  assert.equal(thing.open, 1);
  store.applyManifest([BOILER, foreign], 'test');
  await clock.advance(100);
  assert.equal(thing.open, 0);
  assert.equal(elsewhere.connects, 0);
});

test('a dead slave on a shared port costs it at most its share, and the others keep their period', async (t) => {
  const { plant, apply, clock, devices } = rig(t);
  const port = 'line-1';
  const dead = heated(plant, 'dead');
  const live = heated(plant, 'live');
  dead.mood = 'dead';
  dead.answerMs = 1_000;
  apply(BOILER, device('dead', { name: 'dead', port }), device('live', { name: 'live', port }));
  await clock.advance(600_000);
  const [figures] = devices.status.ports;
  const costMs = figures?.busyMsByDevice.get('default/dead') ?? 0;
  assert.ok(costMs >= 4_000 && costMs <= 30_000, `${costMs} ms`);
  assert.ok(dead.connects >= 4, 'it is tried again');
  assert.ok(live.readTimes.length >= 570, `${live.readTimes.length} of 600 cycles`);
});

test('one lost reply on a shared line costs a second, no connection and no word', async (t) => {
  const { plant, apply, clock, reported, log } = rig(t);
  const port = 'line-1';
  const thing = heated(plant, 'boiler-1');
  const other = heated(plant, 'boiler-2');
  apply(
    BOILER,
    device('boiler-1', { name: 'boiler-1', port }),
    device('boiler-2', { name: 'boiler-2', port }),
  );
  await clock.advance(3_700);
  thing.lostReplies = 1;
  const before = thing.readTimes.length;
  await clock.advance(1_000);
  thing.values.set('temperature', 70);
  await clock.advance(1_200);
  assert.deepEqual(reported('boiler-1.temperature'), GOOD(70));
  assert.deepEqual(reported('boiler-2.temperature'), GOOD(61.5));
  assert.ok(thing.readTimes.length >= before + 2);
  assert.equal(thing.connects, 1);
  assert.equal(other.connects, 1);
  assert.ok(!log.lines.some(({ message }) => message === 'device lost'));
});

test('two lost replies are a lost device, which is back within three seconds', async (t) => {
  const { plant, apply, clock, reported, log, state } = rig(t);
  const thing = heated(plant);
  const port = 'line-1';
  apply(
    BOILER,
    device('boiler-1', { name: 'boiler-1', port }),
    device('boiler-2', { name: 'boiler-2', port }),
  );
  heated(plant, 'boiler-2');
  await clock.advance(3_700);
  thing.lostReplies = 2;
  await clock.advance(3_000);
  assert.equal(state('boiler-1'), 'offline');
  assert.equal(log.lines.filter(({ message }) => message === 'device lost').length, 1);
  await clock.advance(2_000);
  assert.equal(state('boiler-1'), 'online');
  assert.deepEqual(reported('boiler-1.temperature'), GOOD(61.5));
});

test('twenty dead slaves on a port do not stop the one that lives', async (t) => {
  const { plant, apply, clock, devices } = rig(t);
  const names = Array.from({ length: 20 }, (_, index) => `dead-${index}`);
  for (const name of names) {
    const thing = heated(plant, name);
    thing.mood = 'dead';
    thing.answerMs = 1_000;
  }
  const live = heated(plant, 'live');
  const all = ['live', ...names];
  apply(BOILER, ...all.map((name) => device(name, { name, port: 'line' })));
  // The first look at each of them.
  await clock.advance(30_000);
  const spent = (): number =>
    [...(devices.status.ports[0]?.busyMsByDevice ?? [])].reduce(
      (sum, [name, ms]) => sum + (name === 'default/live' ? 0 : ms),
      0,
    );
  const [reads, wasted] = [live.readTimes.length, spent()];
  await clock.advance(600_000);
  assert.ok(spent() - wasted <= 120_000, `${spent() - wasted} ms`);
  assert.ok(live.readTimes.length - reads >= 590, `${live.readTimes.length - reads} of 600 cycles`);
  for (const name of names) assert.ok(plant.thing(name).connects >= 3, name);
});

test('a mapper that never gets ready keeps no device from being stopped', async (t) => {
  const { apply, clock, devices } = rig(t, {
    host: { mapper: () => new Promise(() => undefined) },
  });
  apply(BOILER, device('boiler-1'));
  await clock.advance(100);
  await devices.stop();
});

test('a stopped node leaves no connection open', async (t) => {
  const first = rig(t);
  const thing = heated(first.plant);
  first.apply(BOILER, device('boiler-1'));
  await first.clock.advance(500);
  assert.equal(thing.open, 1);
  const stopped = first.devices.stop();
  await first.clock.advance(5_000);
  await stopped;
  assert.equal(thing.open, 0);
  assert.equal(thing.connects, 1);
  const second = await first.restart();
  await second.clock.advance(500);
  assert.equal(thing.open, 1);
  assert.equal(second.state('boiler-1'), 'online');
});

test('one slave that garbles a shared wire does not make the others look lost', async (t) => {
  const { plant, apply, clock, log, state } = rig(t, { dials: true });
  const port = 'line';
  heated(plant, 'noisy');
  const calm = heated(plant, 'calm');
  apply(BOILER, device('noisy', { name: 'noisy', port }), device('calm', { name: 'calm', port }));
  await clock.advance(500);
  plant.thing('noisy').mood = 'garbled';
  await clock.advance(1_500);
  assert.equal(state('noisy'), 'offline');
  assert.equal(state('calm'), 'online');
  assert.equal(calm.connects, 2, 'its wire was cut as well');
  const lost = log.lines.filter(({ message }) => message === 'device lost');
  assert.deepEqual(
    lost.map(({ fields }) => fields['code']),
    ['PLANT_NOISE'],
  );
});
