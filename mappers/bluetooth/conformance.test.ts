import { suite } from 'node:test';
import { checkMapper, type SubjectItem } from '@limpet/dmi/testing';
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

const own = (n: number): string => `12345678-1234-5678-1234-56789abc000${n}`;
const service = '181a';

const connected: [SubjectItem, ...SubjectItem[]] = [
  item(
    { service, characteristic: '2a6e', via: 'notify', type: 'int16', scale: 0.01 },
    'temperature',
    {
      type: 'float',
      reads: 21.5,
      turns: [22.25, -3],
    },
  ),
  item({ service, characteristic: own(1), type: 'int16', scale: 0.1, via: 'notify' }, 'setpoint', {
    type: 'float',
    reads: 55.3,
    writes: [60.1, -12.3, 0],
  }),
  item({ service, characteristic: own(2), type: 'bool', bit: 3, offset: 1 }, 'pump', {
    type: 'bool',
    reads: true,
    writes: [false, true],
  }),
  item({ service, characteristic: own(2), type: 'uint8', mask: 0x70, shift: 4 }, 'stage', {
    type: 'int',
    reads: 5,
    writes: [0, 7],
  }),
  item({ service, characteristic: own(3), type: 'uint64' }, 'energy', {
    type: 'int',
    reads: 1,
    writes: [2n ** 60n, 7],
  }),
  item({ service, characteristic: own(4), type: 'text' }, 'label', {
    type: 'string',
    reads: 'Hello',
    writes: ['Kiel', 'x'.repeat(300)],
  }),
  item({ service: '180f', characteristic: '2a19', type: 'uint8', via: 'indicate' }, 'battery', {
    type: 'int',
    reads: 97,
    turns: [96],
  }),
  item({ from: 'name' }, 'name', { type: 'string', reads: 'boiler' }),
];

const address = 'c4:7c:8d:6a:12:34';

suite('DMI conformance of a device with GATT', () => {
  checkMapper(mapper, {
    simulator,
    settings: { address, adapter: 'uart:/dev/ttyS1' },
    items: connected,
    refused: { service, characteristic: own(9), type: 'uint8' },
    faults: 600,
    discover: () => ({ where: address, settings: { adapter: 'uart:/dev/ttyS1' } }),
  });
});
