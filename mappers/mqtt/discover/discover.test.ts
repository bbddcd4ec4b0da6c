import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Duplex } from 'node:stream';
import type { Found, Json } from '@limpet/dmi';
import { fakeClock, fakeContext } from '@limpet/dmi/testing';
import mapper from '../mapper.ts';
import { SimulatedBroker } from '../simulated-broker.ts';
import { encodePayload, TYPE } from '../sparkplug/payload.ts';

type Said = Readonly<Record<string, Json | Buffer>>;

/** What is found on a broker that keeps these; each of it is what the mapper's own schemas take. */
async function found(
  t: TestContext,
  said: Said,
  ordered?: Parameters<typeof SimulatedBroker.open>[0],
) {
  const broker = await SimulatedBroker.open(ordered ?? (() => undefined));
  t.after(() => broker.close());
  for (const [topic, payload] of Object.entries(said)) {
    const bytes = Buffer.isBuffer(payload) || typeof payload === 'string';
    await broker.say(topic, bytes ? payload : JSON.stringify(payload), true);
  }
  return { broker, all: () => look((wire) => broker.accept(wire)) };
}

async function look(serve: (wire: Duplex) => void): Promise<readonly Found[]> {
  const clock = fakeClock();
  const context = fakeContext({ clock, wire: serve });
  const search = { where: 'mqtt://broker', settings: { username: 'me', listen: '2s' } };
  const all: Found[] = [];
  let over = false;
  const looking = (async () => {
    const signal = new AbortController().signal;
    for await (const each of mapper.discover?.(search, context, signal) ?? []) all.push(each);
  })().finally(() => (over = true));
  while (!over) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await clock.advance(20);
  }
  await looking;
  for (const { settings, model } of all) {
    const parsed = await mapper.settings['~standard'].validate(settings);
    assert.deepEqual(parsed.issues, undefined, JSON.stringify(settings));
    for (const { visitor, name, type, access = 'read' } of model?.properties ?? []) {
      const result = await mapper.visitor['~standard'].validate(visitor);
      assert.ok(result.issues === undefined, `${name}: ${result.issues?.[0]?.message}`);
      assert.equal(mapper.fits?.(result.value, { name, type, access }), undefined, name);
    }
  }
  return all;
}

function one(all: readonly Found[], name: string): Found {
  const hit = all.find((each) => each.name === name);
  assert.ok(hit, `${name} among ${all.map((each) => each.name).join()}`);
  return hit;
}

test('Zigbee2MQTT: what each device exposes, with limits and words, and not its topics again', async (t) => {
  const exposes = [
    {
      type: 'light',
      features: [
        {
          type: 'binary',
          name: 'state',
          property: 'state',
          access: 7,
          value_on: 'ON',
          value_off: 'OFF',
        },
        { type: 'numeric', property: 'brightness', access: 7, value_min: 0, value_max: 254 },
        {
          type: 'composite',
          property: 'color',
          features: [{ type: 'numeric', property: 'x', access: 7 }],
        },
      ],
    },
    { type: 'numeric', property: 'temperature', access: 1, unit: '°C' },
    { type: 'binary', property: 'contact', access: 1, value_on: false, value_off: true },
    { type: 'enum', property: 'identify', access: 2, values: ['identify'] },
  ];
  const definition = { vendor: 'IKEA', model: 'LED1', description: 'bulb', exposes };
  const { all } = await found(t, {
    'zigbee2mqtt/bridge/devices': [
      { type: 'Coordinator', friendly_name: 'Coordinator' },
      { type: 'Router', friendly_name: 'hall/lamp', ieee_address: '0x1', definition },
    ],
    'zigbee2mqtt/hall/lamp': { state: 'ON' },
  });
  const list = await all();
  assert.equal(list.length, 1);
  const { settings, model, about } = one(list, 'hall/lamp');
  assert.deepEqual(settings, {
    username: 'me',
    broker: 'mqtt://broker',
    dialect: 'zigbee2mqtt',
    topic: 'zigbee2mqtt/hall/lamp',
  });
  assert.equal(about, 'IKEA LED1 bulb, 0x1');
  const properties = Object.fromEntries(model?.properties.map((each) => [each.name, each]) ?? []);
  assert.deepEqual(Object.keys(properties), [
    'state',
    'brightness',
    'color_x',
    'temperature',
    'contact',
  ]);
  assert.deepEqual(properties['state']?.visitor, { expose: 'state', type: 'bool' });
  assert.equal(properties['brightness']?.maximum, 254);
  assert.deepEqual(properties['color_x']?.visitor, { expose: 'color.x' });
  assert.equal(properties['temperature']?.unit, 'Cel');
  assert.deepEqual(properties['contact']?.visitor, {
    expose: 'contact',
    type: 'bool',
    on: false,
    off: true,
  });
});

test('Tasmota: relays and sensors of what announces itself', async (t) => {
  const config = {
    dn: 'Plug',
    md: 'Sonoff',
    ip: '10.0.0.9',
    t: 'plug_1',
    ft: '%prefix%/%topic%/',
    tp: ['cmnd', 'stat', 'tele'],
    rl: [1, 0, 0],
    state: ['OFF', 'ON', 'TOGGLE', 'HOLD'],
    ofln: 'Offline',
    onln: 'Online',
  };
  const { all } = await found(t, {
    'tasmota/discovery/AABB/config': config,
    'tasmota/discovery/AABB/sensors': {
      sn: { Time: 'x', ENERGY: { Power: 3 }, AM2301: { Temperature: 20 } },
    },
    'tasmota/discovery/CC/config': { ...config, t: 'odd', ft: '%topic%/%prefix%/' },
    'tele/plug_1/LWT': 'Online',
  });
  const list = await all();
  assert.equal(list.length, 1);
  const { settings, model } = one(list, 'Plug');
  assert.equal(settings['topic'], 'plug_1');
  assert.deepEqual(
    model?.properties.map(({ name, unit, visitor }) => [name, unit, visitor]),
    [
      ['POWER', undefined, { state: 'POWER', type: 'bool' }],
      ['ENERGY_Power', 'W', { sensor: 'ENERGY.Power' }],
      ['AM2301_Temperature', 'Cel', { sensor: 'AM2301.Temperature' }],
    ],
  );
});

test('Sparkplug: a node that is heard is asked for its births', async (t) => {
  const asked: string[] = [];
  const birth = encodePayload({
    seq: 1,
    metrics: [
      { name: 'Inlet/Heat', datatype: TYPE.Float, float: 1 },
      { name: 'Table', datatype: TYPE.DataSet, dataset: {} },
    ],
  });
  const { broker, all } = await found(
    t,
    { 'spBv1.0/g/NDATA/n': encodePayload({ seq: 9, metrics: [] }) },
    (topic) => {
      asked.push(topic);
      void broker.say('spBv1.0/g/NBIRTH/n', encodePayload({ seq: 0, metrics: [] }), false);
      void broker.say('spBv1.0/g/DBIRTH/n/boiler', birth, false);
    },
  );
  const list = await all();
  assert.deepEqual(asked, ['spBv1.0/g/NCMD/n']);
  const { settings, model } = one(list, 'boiler');
  assert.deepEqual(settings['sparkplug'], { group: 'g', node: 'n', device: 'boiler' });
  assert.deepEqual(
    model?.properties.map(({ type, visitor }) => [type, visitor]),
    [
      ['float', { metric: 'Inlet/Heat' }],
      ['json', { metric: 'Table', type: 'json' }],
    ],
  );
});

test('Home Assistant: what is announced, short names too; values that a program finds are left out', async (t) => {
  const dev = { ids: ['meter-7'], name: 'Meter', mf: 'We' };
  const { all } = await found(t, {
    'homeassistant/sensor/meter/power/config': {
      '~': 'meters/7',
      name: 'Power',
      stat_t: '~/state',
      unit_of_meas: 'W',
      val_tpl: '{{ value_json.emeter.power | float }}',
      avty_t: '~/there',
      dev,
    },
    'homeassistant/switch/meter/relay/config': {
      name: 'Relay',
      stat_t: 'meters/7/relay',
      cmd_t: 'meters/7/relay/set',
      dev,
    },
    'homeassistant/sensor/meter/odd/config': {
      stat_t: 'meters/7/state',
      val_tpl: '{% if x %}',
      dev,
    },
    'meters/7/relay': 'ON',
  });
  const list = await all();
  assert.equal(list.length, 1);
  const { settings, model } = one(list, 'Meter');
  assert.deepEqual(settings['availability'], {
    topic: 'meters/7/there',
    online: 'online',
    offline: 'offline',
  });
  assert.deepEqual(
    model?.properties.map(({ visitor }) => visitor),
    [
      { topic: 'meters/7/state', path: '$.emeter.power' },
      {
        topic: 'meters/7/relay',
        type: 'bool',
        on: 'ON',
        off: 'OFF',
        command: { topic: 'meters/7/relay/set' },
      },
    ],
  );
});

test('any other topics: an object is a device, single values are one by the level above', async (t) => {
  const { all } = await found(t, {
    'shed/weather': { wind: { speed: 3 }, 'gust max': 4, name: 'west', raw: [1] },
    'pump/1/rpm': '900',
    'pump/1/on': 'ON',
    'pump/1/blob': Buffer.from([0xff, 0xfe]),
    'limpet/node': { node: 'gateway-1' },
  });
  const list = await all();
  assert.deepEqual(list.map(({ name }) => name).toSorted(), ['pump-1', 'shed-weather']);
  const types = one(list, 'pump-1').model?.properties.map(({ name, type }) => [name, type]);
  assert.deepEqual(types?.toSorted(), [
    ['blob', 'bytes'],
    ['on', 'bool'],
    ['rpm', 'float'],
  ]);
  const visitors = one(list, 'shed-weather').model?.properties.map(
    ({ visitor }) => visitor['path'],
  );
  assert.deepEqual(visitors, ['wind.speed', '/gust max', 'name', 'raw']);
});

test('who has seen enough is told what was heard until then', async (t) => {
  const { broker } = await found(t, { 'plant/oven/temp': '21.5' });
  const stop = new AbortController();
  const clock = fakeClock();
  const context = fakeContext({ clock, wire: (wire) => broker.accept(wire) });
  const search = { where: 'mqtt://broker', settings: { listen: '1m' } };
  const all: Found[] = [];
  const looking = (async () => {
    for await (const each of mapper.discover?.(search, context, stop.signal) ?? []) all.push(each);
  })();
  for (let step = 0; step < 100; step++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await clock.advance(20);
  }
  stop.abort();
  await looking;
  assert.deepEqual(
    all.map(({ name }) => name),
    ['plant-oven'],
  );
});
