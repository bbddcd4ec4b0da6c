import { checkMapper, type SubjectItem } from '@limpet/dmi/testing';
import { suite } from 'node:test';
import mapper from './mapper.ts';
import { simulator } from './simulator.ts';

type Parts = Pick<SubjectItem, 'reads' | 'writes' | 'turns'>;

function item(
  visitor: object,
  name: string,
  parts: Parts & { type: 'bool' | 'int' | 'float' | 'string' | 'bytes' | 'json' },
): SubjectItem {
  const { type, ...rest } = parts;
  const access = parts.writes === undefined ? 'read' : 'readWrite';
  return { visitor, property: { name, type, access }, ...rest };
}

const items: [SubjectItem, ...SubjectItem[]] = [
  item({ node: 'ns=2;s=Temp' }, 'temperature', { type: 'float', reads: 21.5, turns: [-3.25, 1e9] }),
  item({ node: 'ns=2;s=Setpoint' }, 'setpoint', {
    type: 'float',
    reads: 55.3,
    writes: [60.1, -12.34, 0],
  }),
  item({ node: 'ns=2;s=Pump' }, 'pump', { type: 'bool', reads: true, writes: [false, true] }),
  item({ node: 'ns=2;s=Energy' }, 'energy', { type: 'int', reads: 1, writes: [2n ** 60n, 7] }),
  item({ node: 'nsu=urn:limpet:simulator:2;s=Label' }, 'label', {
    type: 'string',
    reads: 'Hello',
    writes: ['Kiel', 'Grüße'],
  }),
  item({ node: 'ns=2;s=Key' }, 'key', {
    type: 'bytes',
    reads: Uint8Array.of(0, 255),
    writes: [Uint8Array.of(1, 2, 3)],
  }),
  item({ node: 'ns=2;s=List', range: '1' }, 'second', { type: 'int', reads: 8, writes: [9, 10] }),
];

suite('DMI conformance', () => {
  checkMapper(mapper, {
    simulator,
    settings: { endpoint: 'opc.tcp://plc:4840', security: 'none' },
    items,
    refused: { node: 'ns=2;s=Nothing' },
    refusedWrite: { visitor: { node: 'ns=2;s=Nothing' }, value: 5 },
    faults: 200,
  });
});
