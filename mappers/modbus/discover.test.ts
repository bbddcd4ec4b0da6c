import type { Found, Search } from '@limpet/dmi';
import { fakeContext } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { identityLength, identityRequest, readIdentity } from './identity.ts';
import mapper from './mapper.ts';
import { ModbusSimulator } from './simulator.ts';

const never = new AbortController().signal;

/** A bus with these units, and what looking there finds. */
function bus(framing: 'tcp' | 'rtu' = 'tcp') {
  const context = fakeContext({ wire: (wire) => simulator.serve(wire, framing) });
  const simulator = new ModbusSimulator(context.clock);
  const look = async (
    search: Partial<Search>,
    signal = never,
    most = Infinity,
  ): Promise<Found[]> => {
    const all: Found[] = [];
    const whole = { where: 'tcp://10.0.0.5:502', settings: {}, ...search };
    const looked = (async () => {
      for await (const found of mapper.discover?.(whole, context, signal) ?? []) {
        all.push(found);
        if (all.length >= most) break;
      }
    })();
    let over = false;
    const ended = looked.finally(() => (over = true));
    ended.catch(() => undefined);
    while (!over) {
      await context.clock.advance(100);
      await turn();
    }
    await ended;
    return all;
  };
  return { context, simulator, look };
}

test('units that answer are found, whatever they answer, with what they say they are', async () => {
  const { simulator, look, context } = bus();
  simulator.unit(3).identity = ['Limpets & Sons', 'PM-5300', 'V1.2'];
  simulator.unit(17).set('holding', 0, [1]);
  const all = await look({ settings: { gap: 4 } });
  const address = 'tcp://10.0.0.5:502';
  const description = 'Limpets & Sons PM-5300 V1.2';
  assert.deepEqual(all, [
    {
      name: 'pm-5300-3',
      about: `unit 3, ${description}`,
      settings: { address, gap: 4, unit: 3 },
      model: { description, properties: [] },
    },
    {
      name: 'unit-17',
      about: 'unit 17, answers, and does not say what it is',
      settings: { address, gap: 4, unit: 17 },
    },
  ]);
  assert.equal(context.dialled.length, 1);
  assert.match(context.log.lines.at(-1)?.message ?? '', /^asking unit 247, 248 of 248$/);
  const settings = await mapper.settings['~standard'].validate(all[0]?.settings);
  assert.equal(settings.issues, undefined);
});

test('a device that does not look at the unit is found once', async () => {
  const { simulator, look } = bus();
  for (const unit of [255, ...Array.from({ length: 247 }, (_, at) => at + 1)]) simulator.unit(unit);
  const all = await look({});
  assert.deepEqual(
    all.map(({ about, settings }) => [about, settings['unit']]),
    [['unit 255, answers to every unit, answers, and does not say what it is', 255]],
  );
});

test('a gateway says which of its units are not there', async () => {
  const { simulator, look } = bus();
  for (const unit of [1, 2, 3]) simulator.unit(unit);
  simulator.inject({ kind: 'exception', code: 11 });
  simulator.inject({ kind: 'exception', code: 10 });
  const all = await look({ settings: { units: '1-3' } });
  assert.deepEqual(
    all.map(({ settings }) => settings['unit']),
    [3],
  );
});

test('a line is asked at the speed and for the units that were given', async () => {
  const { simulator, look, context } = bus('rtu');
  simulator.unit(2).identity = ['Maker', 'X'.repeat(100), 'y'.repeat(100)];
  simulator.unit(9);
  simulator.unit(40);
  const where = 'rtu:///dev/ttyUSB0?baud=9600&parity=none';
  const all = await look({ where, settings: { units: '1-9' } });
  assert.deepEqual(
    all.map(({ settings }) => settings),
    [
      { address: where, unit: 2 },
      { address: where, unit: 9 },
    ],
  );
  assert.equal(all[0]?.model?.description, `Maker ${'X'.repeat(100)} ${'y'.repeat(100)}`);
  assert.match(context.dialled[0] ?? '', /^serial:\/dev\/ttyUSB0\?baud=9600&parity=none/);
});

test('a wire that is cut is opened again, but not for ever', async () => {
  const { simulator, look, context } = bus();
  for (const unit of [1, 2, 3, 4, 5]) simulator.unit(unit);
  simulator.inject({ kind: 'cut', after: 0 });
  const all = await look({ settings: { units: '1-3' } });
  assert.deepEqual(
    all.map(({ settings }) => settings['unit']),
    [2, 3],
  );
  assert.equal(context.dialled.length, 2);
  simulator.inject({ kind: 'cut', after: 0 }, 5);
  await assert.rejects(look({ settings: { units: '1-5' } }), { code: 'MODBUS_CLOSED' });
});

test('what cannot be searched is said before anything is dialled', async () => {
  const { look, context } = bus();
  const wrong: Partial<Search>[] = [
    { where: 'udp://x' },
    { settings: { units: '5-1' } },
    { settings: { units: '300' } },
    { settings: { speed: 9600 } },
  ];
  for (const search of wrong) {
    await assert.rejects(look(search), { name: 'Misconfigured', code: 'MODBUS_SEARCH' });
  }
  const nowhere = { where: undefined } as unknown as Partial<Search>;
  await assert.rejects(look(nowhere), /say where to look/);
  await assert.rejects(look({ settings: { unts: '1-4' } }), /"unts".*looking also takes units/);
  assert.deepEqual(context.dialled, []);
});

test('an abort ends the search at once and gives the wire back', async () => {
  const { look, context } = bus();
  const stop = new AbortController();
  const looked = look({}, stop.signal);
  for (let turns = 0; turns < 20; turns++) await turn();
  stop.abort(new Error('enough'));
  await assert.rejects(looked, /enough/);
  assert.equal(context.dialled.length, 1);
});

test('an identification is read as the specification has it, one byte at a time too', () => {
  // §6.21: "Company identification", "Product code XX", "V2.11".
  const texts = ['Company identification', 'Product code XX', 'V2.11'];
  const objects = texts.map((text, id) =>
    Buffer.concat([Buffer.from([id, text.length]), Buffer.from(text)]),
  );
  const pdu = Buffer.concat([Buffer.from([0x2b, 0x0e, 1, 1, 0, 0, 3]), ...objects]);
  for (let length = 0; length < pdu.length; length++) {
    const known = identityLength(pdu.subarray(0, length));
    assert.ok(known === undefined || known === pdu.length || known > length, `${length}`);
    assert.equal(readIdentity(pdu.subarray(0, length)), undefined);
  }
  const read = readIdentity(pdu);
  assert.deepEqual([[...(read?.objects.values() ?? [])], read?.next], [texts, undefined]);
  assert.equal(readIdentity(Buffer.from([0xab, 1])), undefined);
  assert.deepEqual(identityRequest(2), Buffer.from([0x2b, 0x0e, 1, 2]));
});
