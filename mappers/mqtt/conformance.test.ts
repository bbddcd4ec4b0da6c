import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { PropertyType, Value } from '@limpet/dmi';
import { checkMapper, runConformance, type SubjectItem } from '@limpet/dmi/testing';
import mapper from './mapper.ts';
import { simulator } from './simulator.ts';

type Given = {
  readonly type: PropertyType;
  readonly reads: Value;
  readonly writes?: readonly Value[];
};

function item(visitor: object, name: string, { type, reads, writes }: Given): SubjectItem {
  const property = { name, type, access: writes === undefined ? 'read' : 'readWrite' } as const;
  return { visitor, property, reads, ...(writes && { writes }) };
}

const PLAIN: readonly [SubjectItem, ...SubjectItem[]] = [
  item({ topic: 'hall/state', path: '$.temperature' }, 'temperature', {
    type: 'float',
    reads: 21.5,
  }),
  item(
    { topic: 'hall/state', path: '$.set[0]', scale: 0.1, command: { topic: 'hall/set' } },
    'setpoint',
    { type: 'float', reads: 55.3, writes: [60.1, -12.3, 0] },
  ),
  item(
    {
      topic: 'hall/fan',
      type: 'enum',
      map: { '0': 'off', '1': 'slow', '2': 'fast' },
      command: { topic: 'hall/fan/set' },
    },
    'fan',
    { type: 'string', reads: 'slow', writes: ['fast', 'off'] },
  ),
  item(
    {
      topic: 'hall/door',
      type: 'bool',
      on: 'OPEN',
      off: 'CLOSED',
      command: {
        topic: 'hall/door/set',
        payload: '{"to":{json}}',
        response: { topic: 'hall/door/done', path: '/was' },
      },
    },
    'door',
    { type: 'bool', reads: true, writes: [false, true] },
  ),
  item({ topic: 'hall/raw', type: 'uint16le', byte: 2 }, 'count', { type: 'int', reads: 4660 }),
  item({ topic: 'hall/raw', type: 'uint8', bit: 3 }, 'alarm', { type: 'bool', reads: false }),
  item({ topic: 'hall/key', type: 'bytes', command: { topic: 'hall/key/set', qos: 2 } }, 'key', {
    type: 'bytes',
    reads: Uint8Array.of(1, 0, 255),
    writes: [Uint8Array.of(7)],
  }),
];

const ZIGBEE: readonly [SubjectItem, ...SubjectItem[]] = [
  item({ expose: 'state', type: 'bool' }, 'on', {
    type: 'bool',
    reads: false,
    writes: [true, false],
  }),
  item({ expose: 'color.x' }, 'x', { type: 'float', reads: 0.3, writes: [0.7] }),
  item({ expose: 'linkquality' }, 'link', { type: 'int', reads: 87 }),
];

const TASMOTA: readonly [SubjectItem, ...SubjectItem[]] = [
  item({ state: 'POWER1', type: 'bool' }, 'power', {
    type: 'bool',
    reads: true,
    writes: [false, true],
  }),
  item({ state: 'Dimmer' }, 'dimmer', { type: 'int', reads: 40, writes: [70] }),
  item({ sensor: 'AM2301.Temperature' }, 'temperature', { type: 'float', reads: 19.2 }),
];

const SPARKPLUG: readonly [SubjectItem, ...SubjectItem[]] = [
  item({ metric: 'Inlet/Temperature' }, 'temperature', { type: 'float', reads: 21.5 }),
  item({ metric: 'Setpoint' }, 'setpoint', { type: 'float', reads: 20, writes: [22.5, -1] }),
  item({ metric: 'Pump', type: 'bool' }, 'pump', { type: 'bool', reads: true, writes: [false] }),
  item({ metric: 'Label', type: 'text' }, 'label', { type: 'string', reads: 'a', writes: ['ü'] }),
  item({ metric: 'Key', type: 'bytes' }, 'key', { type: 'bytes', reads: Uint8Array.of(1, 2) }),
];

const broker = 'mqtt://broker';
const timeout = '500ms';
const SUBJECTS = {
  plain: [{ broker, topic: 'hall', timeout }, PLAIN],
  zigbee2mqtt: [{ broker, dialect: 'zigbee2mqtt', topic: 'zigbee2mqtt/lamp', timeout }, ZIGBEE],
  tasmota: [{ broker, dialect: 'tasmota', topic: 'plug', timeout }, TASMOTA],
  sparkplug: [
    {
      broker,
      dialect: 'sparkplug-b',
      sparkplug: { group: 'plant', node: 'edge', device: 'boiler' },
      timeout,
    },
    SPARKPLUG,
  ],
} as const;

const refused = { topic: 'nobody' };

for (const name of ['plain', 'sparkplug'] as const) {
  const [settings, items] = SUBJECTS[name];
  suite(`DMI conformance: ${name}`, () => {
    // On plain topics nobody answers an order, so nobody refuses one.
    const unknown = { visitor: { metric: 'Nothing' }, value: 5 };
    const orders = name === 'sparkplug' ? { refusedWrite: unknown } : {};
    checkMapper(mapper, { simulator, settings, items, refused, ...orders, faults: 30 });
  });
}

// What can go wrong on the wire is the same for all that are told on topics, and takes its time to try.
for (const name of ['zigbee2mqtt', 'tasmota'] as const) {
  const [settings, items] = SUBJECTS[name];
  test(`DMI conformance on a wire that is whole: ${name}`, async () => {
    let passed = 0;
    for await (const each of runConformance(mapper, { simulator, settings, items, refused })) {
      if (each.id >= 'DMI-400') break;
      assert.notEqual(each.result, 'fail', `${each.id}: ${each.title}: ${each.reason}`);
      if (each.result === 'pass') passed++;
    }
    assert.ok(passed > 15, `only ${passed} promises were tried`);
  });
}
