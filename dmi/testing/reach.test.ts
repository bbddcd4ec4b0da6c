/** The conformance run on devices that the kit does not dial: behind its proxy, and out of its reach. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import test, { suite } from 'node:test';
import { Unreachable } from '../index.ts';
import { checkMapper, runConformance } from './conformance.ts';
import type { Assertion, Subject } from './subject.ts';
import { tinySimulator } from './tiny-device.fixture.ts';
import { type Dial, type Quirk, tinyMapper } from './tiny.fixture.ts';
import { TinyRadio } from './tiny-radio.fixture.ts';

const COMMON: Omit<Subject, 'simulator'> = {
  settings: { address: 'tcp://127.0.0.1:1' },
  items: [
    {
      visitor: { key: 'level' },
      property: { name: 'level', type: 'float', access: 'readWrite' },
      reads: 5,
      writes: [1, 2.55, -3],
    },
    {
      visitor: { key: 'name' },
      property: { name: 'name', type: 'string', access: 'read' },
      reads: 'north',
      turns: ['south'],
    },
  ],
  refused: { key: 'absent' },
  faults: 25,
};

/** As a library does that knows nothing of the context. */
const ownSocket: Dial = async (address, signal) => {
  const { hostname, port } = new URL(address);
  const socket = connect({ host: hostname, port: Number(port), signal });
  try {
    await once(socket, 'connect', { signal });
  } catch (cause) {
    socket.destroy();
    throw new Unreachable('TINY_DIAL', `no connection to ${address}`, { cause });
  }
  return socket;
};

function sockets(): Subject {
  return {
    ...COMMON,
    simulator: tinySimulator({ reach: 'sockets' }),
    realTime: true,
    patienceMs: 300,
  };
}

function radio(): { subject: Subject; dial: Dial } {
  const air = new TinyRadio();
  const simulator = tinySimulator({ reach: 'nothing', made: (device) => air.bring(device) });
  return {
    subject: { ...COMMON, simulator, harm: air },
    dial: (_, signal) => air.dial(signal),
  };
}

suite('a mapper whose library opens its own sockets', () => {
  checkMapper(tinyMapper(undefined, ownSocket), sockets());
});

suite('a mapper whose device is reached by radio', () => {
  const { subject, dial } = radio();
  checkMapper(tinyMapper(undefined, dial), subject);
});

async function results(
  mapper: ReturnType<typeof tinyMapper>,
  subject: Subject,
  only: readonly string[],
): Promise<Map<string, Assertion>> {
  const told = new Map<string, Assertion>();
  for await (const each of runConformance(mapper, subject, new Set(only))) told.set(each.id, each);
  return told;
}

const CAUGHT: readonly (readonly [Quirk, string])[] = [
  ['fails with a plain error', 'DMI-102'],
  ['takes each chunk for an answer', 'DMI-205'],
  ['ignores abort', 'DMI-401'],
  ['a cut is Garbled', 'DMI-403'],
  ['ignores abort', 'DMI-405'],
  ['makes up a value for nonsense', 'DMI-406'],
  ['keeps the wire', 'DMI-501'],
];

suite('behind the proxy', { concurrency: true }, () => {
  for (const [quirk, id] of CAUGHT) {
    test(`"${quirk}" is caught by ${id}`, async () => {
      const told = await results(tinyMapper(quirk, ownSocket), sockets(), [id]);
      assert.equal(told.get(id)?.result, 'fail', JSON.stringify([...told.values()]));
    });
  }
});

suite('by radio', { concurrency: true }, () => {
  for (const [quirk, id] of CAUGHT.filter(([, each]) => each !== 'DMI-501')) {
    test(`"${quirk}" is caught by ${id}`, async () => {
      const { subject, dial } = radio();
      const told = await results(tinyMapper(quirk, dial), subject, [id]);
      assert.equal(told.get(id)?.result, 'fail', JSON.stringify([...told.values()]));
    });
  }
});

test('a harm that the subject lacks is not applicable, and said so', async () => {
  const air = new TinyRadio();
  const simulator = tinySimulator({ reach: 'nothing', made: (device) => air.bring(device) });
  const harm = { heal: () => air.heal() };
  const mapper = tinyMapper(undefined, (_, signal) => air.dial(signal));
  const told = await results(mapper, { ...COMMON, simulator, harm }, [
    'DMI-101',
    'DMI-102',
    'DMI-403',
    'DMI-601',
  ]);
  assert.equal(told.get('DMI-101')?.result, 'pass');
  assert.equal(told.get('DMI-102')?.reason, "the subject's harm has no refuse()");
  assert.equal(told.get('DMI-403')?.reason, "the subject's harm has no cut()");
  assert.equal(told.get('DMI-601')?.result, 'not-applicable');
});

test('the proxy refuses an address that is none', async () => {
  const simulator = tinySimulator({ reach: 'nothing' });
  const odd = {
    async simulate(...made: Parameters<typeof simulator.simulate>) {
      return { ...(await simulator.simulate(...made)), address: 'localhost', settings: () => ({}) };
    },
  };
  const told = await results(tinyMapper(), { ...COMMON, simulator: odd }, ['DMI-101']);
  assert.match(told.get('DMI-101')?.reason ?? '', /must be tcp:\/\/HOST:PORT/);
});
