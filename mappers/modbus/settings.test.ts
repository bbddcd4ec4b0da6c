import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { settings } from './settings.ts';

const dial = (address: string) => v.parse(settings, { address }).dial;

test('addresses become what the runtime dials, defaults made explicit', () => {
  assert.equal(dial('tcp://10.0.0.5'), 'tcp://10.0.0.5:502');
  assert.equal(dial('tcp://[::1]:1502'), 'tcp://[::1]:1502');
  assert.equal(dial('rtu+tcp://gateway:4001'), 'tcp://gateway:4001');
  assert.equal(
    dial('rtu:///dev/ttyUSB0?baud=9600&parity=none&stopbits=2'),
    'serial:/dev/ttyUSB0?baud=9600&parity=none&databits=8&stopbits=2',
  );
  assert.equal(
    dial('rtu://rs485-1'),
    'serial:rs485-1?baud=19200&parity=even&databits=8&stopbits=1',
  );
});

test('devices on one line or gateway share a port, whatever their units', () => {
  const port = (address: string, unit: number) => v.parse(settings, { address, unit }).port;
  assert.equal(port('tcp://plc', 1), port('tcp://plc:502', 2));
  assert.equal(port('rtu:///dev/ttyS1?baud=9600', 1), port('rtu:///dev/ttyS1', 2));
});

const REFUSED: readonly (readonly [what: object, says: RegExp])[] = [
  [{}, /address: required/],
  [{ address: 'plc:502' }, /expected tcp:\/\/HOST/],
  [{ address: 'tcp://plc:0' }, /port from 1 to 65535/],
  [{ address: 'tcp://a b' }, /expected tcp:\/\/HOST/],
  [{ address: 'rtu+tcp://plc' }, /needs a port/],
  [{ address: 'rtu://' }, /expected tcp/],
  [{ address: 'rtu:///dev/ttyS1?speed=9600' }, /unknown line parameter speed/],
  [{ address: 'rtu:///dev/ttyS1?databits=7' }, /databits=8/],
  [{ address: 'tcp://plc', unit: 248 }, /0 to 247/],
  [{ address: 'rtu:///dev/ttyS1', unit: 255 }, /255 over tcp/],
  [{ address: 'tcp://plc', timeout: '5' }, /a duration from/],
  [{ address: 'tcp://plc', maxRegisters: 126 }, /1 to 125/],
  [{ address: 'tcp://plc', maxBits: 2001 }, /1 to 2000/],
  [{ address: 'tcp://plc', units: 1 }, /unknown field "units"/],
];
for (const [what, says] of REFUSED) {
  test(`refuses ${JSON.stringify(what)}, saying why`, () => {
    const result = v.safeParse(settings, what);
    assert.match(result.issues?.[0].message ?? 'taken', says);
  });
}

test('unit 255 is for tcp:// and 247 for any line', () => {
  assert.equal(v.parse(settings, { address: 'tcp://plc', unit: 255 }).unit, 255);
  assert.equal(v.parse(settings, { address: 'rtu:///dev/ttyS1', unit: 247 }).unit, 247);
});
