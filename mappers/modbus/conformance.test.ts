import { checkMapper, type SubjectItem } from '@limpet/dmi/testing';
import { suite } from 'node:test';
import mapper from './mapper.ts';
import { simulator } from './simulator.ts';

type Parts = Pick<SubjectItem, 'reads' | 'writes' | 'turns'>;

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
    turns: [-40.25, 1e6],
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
    reads: Uint8Array.of(1, 2, 3),
    writes: [Uint8Array.of(0, 255, 9)],
  }),
];

/** Another unit behind the same address, with another value in the same register. */
const NEIGHBOUR = item({ register: 'input', address: 0, type: 'float32' }, 'outside', {
  type: 'float',
  reads: -3.25,
});

for (const [address, framing] of [
  ['tcp://plc', 'tcp'],
  ['rtu:///dev/ttyUSB0', 'rtu'],
] as const) {
  suite(`DMI conformance over ${address}`, () => {
    checkMapper(mapper, {
      simulator,
      settings: { address },
      items,
      refused: { register: 'holding', address: 11_000 },
      refusedWrite: { visitor: { register: 'holding', address: 11_000 }, value: 5 },
      checksummed: framing === 'rtu',
      discover: () => ({ where: address, settings: {} }),
      neighbour: { settings: { address, unit: 2 }, items: [NEIGHBOUR] },
    });
  });
}
