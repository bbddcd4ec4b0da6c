import { checkMapper, fakeClock, type SubjectItem } from '@limpet/dmi/testing';
import { suite } from 'node:test';
import mapper from './mapper.ts';
import { ModbusSimulator } from './simulator.ts';

type Parts = Pick<SubjectItem, 'reads' | 'writes'>;

function item(
  visitor: object,
  name: string,
  parts: Parts & { type: 'bool' | 'int' | 'float' | 'string' | 'bytes' },
): SubjectItem {
  const { type, ...rest } = parts;
  const access = parts.writes === undefined ? 'read' : 'readWrite';
  return { visitor, property: { name, type, access }, ...rest };
}

const items: [SubjectItem, ...SubjectItem[]] = [
  item({ register: 'input', address: 0, type: 'float32' }, 'temperature', {
    type: 'float',
    reads: 21.5,
  }),
  item({ register: 'holding', address: 10, type: 'int16', scale: 0.1 }, 'setpoint', {
    type: 'float',
    reads: 55.3,
    writes: [60.1, -12.34, 0],
  }),
  item({ register: 'coil', address: 4 }, 'pump', {
    type: 'bool',
    reads: true,
    writes: [false, true],
  }),
  item({ register: 'holding', address: 12, bit: 3 }, 'alarm', {
    type: 'bool',
    reads: false,
    writes: [true, false],
  }),
  item({ register: 'discrete', address: 0 }, 'door', { type: 'bool', reads: false }),
  item({ register: 'holding', address: 20, type: 'uint64', order: 'CDAB' }, 'energy', {
    type: 'int',
    reads: 1,
    writes: [2n ** 60n, 7],
  }),
  item({ register: 'holding', address: 30, type: 'string', length: 5 }, 'label', {
    type: 'string',
    reads: 'Hello',
    writes: ['Kiel', 'Grüß'.slice(0, 3)],
  }),
  item({ register: 'holding', address: 40, type: 'bytes', length: 3 }, 'key', {
    type: 'bytes',
    writes: [Uint8Array.of(1, 2, 3)],
  }),
];

function plant(): ModbusSimulator {
  const simulator = new ModbusSimulator(fakeClock());
  const unit = simulator.unit(1);
  unit.set('input', 0, [0x41ac, 0]);
  unit.set('holding', 10, [553, 0, 0]);
  unit.set('coil', 4, [1]);
  unit.set('discrete', 0, [0]);
  unit.set('holding', 20, [1, 0, 0, 0]);
  unit.set('holding', 30, Buffer.from('Hello\0'));
  unit.set('holding', 40, [0x0102, 0x0300]);
  return simulator;
}

for (const [address, framing] of [
  ['tcp://plc', 'tcp'],
  ['rtu:///dev/ttyUSB0', 'rtu'],
] as const) {
  suite(`DMI conformance over ${address}`, () => {
    const simulator = plant();
    checkMapper(mapper, {
      serve: (wire) => simulator.serve(wire, framing),
      settings: { address },
      items,
      refused: { register: 'holding', address: 11_000 },
      checksummed: framing === 'rtu',
      faults: 100,
    });
  });
}
