/** Values of all types, methods and discovery, against a server. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Connection, DmiError, Found, Reading, Value } from '@limpet/dmi';
import { DataType, Variant, VariantArrayType } from 'node-opcua-variant';
import { Range } from 'node-opcua-types';
import { StatusCodes } from 'node-opcua-status-code';
import { never, open, realContext, until, visitorOf } from './open.fixture.ts';
import mapper from './mapper.ts';
import { parseNodeId, type NodeAddress } from './node-id.ts';
import { SimulatedServer } from './simulator.ts';
import type { Visitor } from './visitor.ts';

const SETTINGS = { security: 'none' };
const at = (text: string): NodeAddress => parseNodeId(text) as NodeAddress;
const of = (name: string, more: object = {}): Visitor =>
  visitorOf({ node: `ns=2;s=${name}`, ...more });
const told = (reading: Reading | undefined): unknown =>
  reading?.ok === true ? reading.value : reading?.error.code;

/** Type, what is written, and what it is read as where that is another. */
const SCALARS: readonly (readonly [keyof typeof DataType, Value, Value?])[] = [
  ['Boolean', true],
  ['SByte', -128],
  ['Byte', 255],
  ['Int16', -32_768],
  ['UInt16', 65_535],
  ['Int32', -(2 ** 31)],
  ['UInt32', 2 ** 32 - 1],
  ['Int64', -(2n ** 63n)],
  ['UInt64', 2n ** 64n - 1n],
  ['Float', 0.1],
  ['Double', 1e300],
  ['String', 'Grüße'],
  ['DateTime', '2026-11-21T20:00:00+01:00', '2026-11-21T19:00:00.000Z'],
  ['Guid', '72962B91-FA75-4AE6-8D28-B404DC7DAF63', '72962b91-fa75-4ae6-8d28-b404dc7daf63'],
  ['ByteString', Uint8Array.of(0, 255, 7)],
  ['NodeId', 'ns=2;s=Other'],
  ['ExpandedNodeId', 'ns=2;s=Other'],
  ['StatusCode', 'BadSensorFailure'],
  ['XmlElement', '<kettle/>'],
  ['LocalizedText', 'Kessel'],
  ['QualifiedName', '2:Kessel'],
];
const WRONG: readonly (readonly [keyof typeof DataType, Value])[] = [
  ['Boolean', 1],
  ['Byte', 256],
  ['Int16', 1.5],
  ['UInt64', -1],
  ['Float', 1e39],
  ['DateTime', 'soon'],
  ['Guid', 'none'],
  ['String', 5],
  ['Double', 'much'],
];

suite('values', () => {
  let server: SimulatedServer;
  let connection: Connection<Visitor>;

  before(async () => {
    server = await SimulatedServer.start();
    for (const [type, value] of SCALARS) {
      const node = at(`ns=2;s=${type}`);
      server.add({ node, name: type, type: DataType[type], value, writable: true });
    }
    furnish(server);
    connection = await open({ ...SETTINGS, endpoint: server.endpoint }, realContext());
  });
  after(async () => {
    await connection?.close();
    await server.close();
  });

  test('each scalar is read as it was written, and write says so before', async () => {
    for (const [type, value, read = value] of SCALARS) {
      assert.deepEqual(await connection.write(of(type), value, never), read, type);
      const [reading] = await connection.read([of(type)], never);
      assert.deepEqual(told(reading), read, type);
    }
  });

  test('what the type of a node cannot hold is not written', async () => {
    for (const [type, value] of WRONG) {
      const refused = connection.write(of(type), value, never);
      await assert.rejects(refused, { name: 'Misconfigured', code: 'OPCUA_VALUE' }, type);
    }
  });

  test('lists, parts of them and tables are json', async () => {
    const list = of('List');
    assert.deepEqual(await connection.write(list, [4, 5, 6], never), [4, 5, 6]);
    assert.equal(await connection.write(of('List', { range: '1' }), 9, never), 9);
    const parts = [list, of('List', { range: '1' }), of('List', { range: '0:1' }), of('Table')];
    const [, , , whole] = parts;
    assert.equal(await connection.write(of('Table', { range: '1,2' }), 6, never), 6);
    const one = await connection.read([of('Table', { range: '1,2' })], never);
    assert.deepEqual(
      [one.map(told), told((await connection.read([whole as Visitor], never))[0])],
      [
        [6],
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
      ],
    );
    const readings = await connection.read(parts, never);
    const table = [
      [1, 2, 3],
      [4, 5, 6],
    ];
    assert.deepEqual(readings.map(told), [[4, 9, 6], 9, [4, 9], table]);
    const beyond = await connection.read([of('List', { range: '7' })], never);
    assert.deepEqual(beyond.map(told), ['OPCUA_BAD_INDEX_RANGE_NO_DATA']);
  });

  test('an enumeration is its number, or its name', async () => {
    const state = visitorOf({ node: 'i=2259' });
    const named = visitorOf({ node: 'i=2259', as: 'name' });
    assert.deepEqual((await connection.read([state, named], never)).map(told), [0, 'Running']);
    const { code } = await connection
      .read([of('Double', { as: 'name' })], never)
      .then(([reading]) => (reading?.ok === false ? reading.error : assert.fail('no names')));
    assert.equal(code, 'OPCUA_NAMES');
    const own = of('State');
    const byName = of('State', { as: 'name' });
    assert.equal(await connection.write(byName, 'Test', never), 'Test');
    assert.deepEqual((await connection.read([own, byName], never)).map(told), [5, 'Test']);
    assert.equal(await connection.write(own, 1, never), 1);
    assert.deepEqual((await connection.read([own, byName], never)).map(told), [1, 'Failed']);
    for (const [visitor, wrong] of [
      [byName, 'Idle'],
      [own, 2 ** 40],
      [own, 1.5],
    ] as const)
      await assert.rejects(connection.write(visitor, wrong, never), { code: 'OPCUA_VALUE' });
  });

  test('a structure is json, read and written', async () => {
    const range = visitorOf({ node: 'ns=2;s=Range' });
    assert.deepEqual(await connection.write(range, { Low: -1, High: 2.5 }, never), {
      Low: -1,
      High: 2.5,
    });
    assert.deepEqual((await connection.read([range], never)).map(told), [{ Low: -1, High: 2.5 }]);
    for (const wrong of [{ Low: 1 }, { Low: 1, High: 2, Mid: 3 }, 5]) {
      await assert.rejects(connection.write(range, wrong, never), { code: 'OPCUA_VALUE' });
    }
  });

  test('an uncertain value is kept with its doubt; NaN and nothing are bad', async () => {
    const [uncertain, nan, bad] = await connection.read(
      [of('Uncertain'), of('NaN'), of('Bad')],
      never,
    );
    assert.ok(uncertain?.ok === true && uncertain.value === 5);
    assert.equal(uncertain.doubt?.code, 'OPCUA_UNCERTAIN_LAST_USABLE_VALUE');
    assert.deepEqual([told(nan), told(bad)], ['OPCUA_NOT_A_NUMBER', 'OPCUA_BAD_SENSOR_FAILURE']);
  });

  test('a value beyond what a message holds is refused alone, read and told', async () => {
    const visitors = ['Huge', 'Double'].map((name) => of(name));
    const both = ['OPCUA_BAD_TCP_MESSAGE_TOO_LARGE', 5];
    await connection.write(of('Double'), 5, never);
    const readings = await connection.read(visitors, never);
    assert.deepEqual(readings.map(told), both);
    assert.ok(readings[0]?.ok === false);
    assert.match(readings[0].error.message, /^ns=2;s=Huge: .*range/);
    const life = new AbortController();
    const heard = new Map<number, unknown>();
    const sink = {
      reading: (index: number, reading: Reading) => void heard.set(index, told(reading)),
      lost: (error: Error) => void heard.set(-1, error),
    };
    const wishes = visitors.map((visitor) => ({ visitor, everyMs: 50 }));
    assert.deepEqual(await connection.subscribe?.(wishes, sink, life.signal), []);
    await until(() => heard.size >= 2);
    const all = [heard.get(0), heard.get(1), heard.get(-1)];
    assert.deepEqual(all, ['OPCUA_BAD_RESPONSE_TOO_LARGE', 5, undefined]);
    life.abort();
  });

  test('a method takes its arguments in their types', async () => {
    const twice = visitorOf({ object: 'ns=2;s=Machine', method: 'ns=2;s=Twice' });
    assert.deepEqual(await connection.call?.(twice, [21, 'x'], never), [42, 'xx']);
    const wrong = (input: readonly Value[]): Promise<string> =>
      Promise.resolve(connection.call?.(twice, input, never)).then(
        () => 'none',
        (error: DmiError) => error.code,
      );
    assert.equal(await wrong(['a', 'x']), 'OPCUA_VALUE');
    assert.equal(await wrong([1]), 'OPCUA_ARGUMENTS');
    assert.equal(await wrong([0, 'x']), 'OPCUA_BAD_OUT_OF_RANGE');
  });

  test('discovery tells a model of what is there, once, in spite of circles', async () => {
    const found: Found[] = [];
    const search = { where: server.endpoint, settings: { ...SETTINGS, root: 'ns=2;s=Machine' } };
    const all = mapper.discover?.(search, realContext(), never);
    for await (const each of all ?? []) found.push(each);
    const [{ settings, model } = assert.fail('nothing was found')] = found;
    assert.deepEqual(settings, { ...SETTINGS, endpoint: server.endpoint });
    const node = (id: string) => ({ node: `nsu=urn:limpet:simulator:2;s=${id}` });
    assert.deepEqual(model?.properties, [
      {
        name: 'Speed',
        path: [],
        type: 'float',
        access: 'readWrite',
        unit: '/min',
        minimum: 0,
        maximum: 3000,
        visitor: node('Speed'),
      },
      { name: 'Serial', path: ['Plate'], type: 'string', visitor: node('Serial') },
    ]);
    assert.deepEqual(model?.methods, [
      {
        name: 'Twice',
        path: [],
        input: [
          { name: 'number', type: 'float' },
          { name: 'text', type: 'string' },
        ],
        output: [
          { name: 'double', type: 'float' },
          { name: 'twice', type: 'string' },
        ],
        visitor: {
          object: 'nsu=urn:limpet:simulator:2;s=Machine',
          method: 'nsu=urn:limpet:simulator:2;s=Twice',
        },
      },
    ]);
  });
});

/** Things that the simulator does not make by itself. */
function furnish(server: SimulatedServer): void {
  const add = (name: string, type: DataType, value: Value, shape = {}) =>
    server.add({ node: at(`ns=2;s=${name}`), name, type, value, writable: true, shape });
  add('List', DataType.Int32, [1, 2, 3]);
  add('Huge', DataType.ByteString, Uint8Array.of(1)).setValueFromSource(
    new Variant({ dataType: DataType.ByteString, value: Buffer.alloc(9_000_000) }),
  );
  add('State', DataType.Int32, 0, { dataType: 'ServerState' });
  const numbers = { dataType: DataType.Int32, arrayType: VariantArrayType.Matrix };
  add('Table', DataType.Int32, 0, { valueRank: 2, arrayDimensions: [2, 3] }).setValueFromSource(
    new Variant({ ...numbers, dimensions: [2, 3], value: [1, 2, 3, 4, 5, 6] }),
  );
  const number = new Variant({ dataType: DataType.Double, value: 5 });
  add('Uncertain', DataType.Double, 5).setValueFromSource(
    number,
    StatusCodes.UncertainLastUsableValue,
  );
  add('Bad', DataType.Double, 5).setValueFromSource(number, StatusCodes.BadSensorFailure);
  add('NaN', DataType.Double, 5).setValueFromSource(
    new Variant({ dataType: DataType.Double, value: Number.NaN }),
  );
  const space = server.server.engine.addressSpace;
  const own = server.namespace(2);
  const range = new Range({ low: 0, high: 1 });
  own.addVariable({
    organizedBy: space?.rootFolder.objects as never,
    nodeId: 'ns=2;s=Range',
    browseName: 'Range',
    dataType: 'Range',
    value: { dataType: DataType.ExtensionObject, value: range },
  });
  furnishMachine(server);
}

function furnishMachine(server: SimulatedServer): void {
  const own = server.namespace(2);
  const objects = server.server.engine.addressSpace?.rootFolder.objects as never;
  const machine = own.addObject({
    organizedBy: objects,
    nodeId: 'ns=2;s=Machine',
    browseName: 'Machine',
  });
  own.addAnalogDataItem({
    componentOf: machine,
    nodeId: 'ns=2;s=Speed',
    browseName: 'Speed',
    dataType: 'Double',
    engineeringUnitsRange: { low: 0, high: 3000 },
    engineeringUnits: {
      namespaceUri: 'http://www.opcfoundation.org/UA/units/un/cefact',
      unitId: 0x52504d,
      displayName: { text: 'r/min' },
    } as never,
    value: { dataType: DataType.Double, value: 1500 },
  });
  const plate = own.addObject({
    componentOf: machine,
    nodeId: 'ns=2;s=Plate',
    browseName: 'Plate',
  });
  own.addVariable({
    propertyOf: plate,
    nodeId: 'ns=2;s=Serial',
    browseName: 'Serial',
    dataType: 'String',
    accessLevel: 'CurrentRead',
    userAccessLevel: 'CurrentRead',
    value: { dataType: DataType.String, value: '4711' },
  });
  plate.addReference({ referenceType: 'Organizes', nodeId: machine.nodeId });
  const argument = (name: string, dataType: DataType) => ({ name, dataType, valueRank: -1 });
  const twice = own.addMethod(machine, {
    nodeId: 'ns=2;s=Twice',
    browseName: 'Twice',
    inputArguments: [
      argument('number', DataType.Double),
      argument('text', DataType.String),
    ] as never,
    outputArguments: [
      argument('double', DataType.Double),
      argument('twice', DataType.String),
    ] as never,
  });
  twice.bindMethod(async (input: Variant[], _context: unknown) => {
    const [number, text] = input;
    if (number?.value === 0) return { statusCode: StatusCodes.BadOutOfRange };
    const outputArguments = [
      { dataType: DataType.Double, value: Number(number?.value) * 2 },
      { dataType: DataType.String, value: String(text?.value).repeat(2) },
    ];
    return { statusCode: StatusCodes.Good, outputArguments };
  });
}
