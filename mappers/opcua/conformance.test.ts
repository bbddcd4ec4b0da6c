import { checkMapper, type SubjectItem } from '@limpet/dmi/testing';
import { connect } from 'node:net';
import { after, before, suite } from 'node:test';
import type { Duplex } from 'node:stream';
import { DataType } from 'node-opcua-variant';
import mapper from './mapper.ts';
import { parseNodeId, type NodeAddress } from './node-id.ts';
import { SimulatedServer } from './simulator.ts';

type Parts = Pick<SubjectItem, 'reads' | 'writes'>;

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
  item({ node: 'ns=2;s=Temp' }, 'temperature', { type: 'float', reads: 21.5 }),
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
  item({ node: 'ns=2;s=Key' }, 'key', { type: 'bytes', writes: [Uint8Array.of(1, 2, 3)] }),
  item({ node: 'ns=2;s=List', range: '1' }, 'second', { type: 'int', reads: 8, writes: [9, 10] }),
];

const node = (text: string): NodeAddress => parseNodeId(text) as NodeAddress;

suite('DMI conformance', () => {
  let server: SimulatedServer;
  before(async () => {
    server = await SimulatedServer.start({
      maxConnectionsPerEndpoint: 500,
      serverCapabilities: { maxSessions: 500 } as never,
    });
    const add = (name: string, type: DataType, value: Parameters<typeof server.set>[1]) =>
      server.add({ node: node(`ns=2;s=${name}`), name, type, value, writable: true });
    add('Temp', DataType.Double, 21.5);
    add('Setpoint', DataType.Float, 55.3);
    add('Pump', DataType.Boolean, true);
    add('Energy', DataType.UInt64, 1);
    add('Label', DataType.String, 'Hello');
    add('Key', DataType.ByteString, Uint8Array.of(1));
    add('List', DataType.Int32, [7, 8, 9]);
  });
  after(() => server.close());
  checkMapper(mapper, {
    serve(wire: Duplex) {
      const socket = connect(server.port, '127.0.0.1');
      wire.pipe(socket);
      socket.pipe(wire);
      wire.on('error', () => socket.destroy());
      wire.on('close', () => socket.destroy());
      socket.on('error', () => wire.destroy());
      socket.on('close', () => wire.destroy());
    },
    settings: { endpoint: 'opc.tcp://plc:4840', security: 'none' },
    items,
    refused: { node: 'ns=2;s=Nothing' },
    faults: 20,
  });
});
