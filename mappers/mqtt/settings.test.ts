import assert from 'node:assert/strict';
import { test } from 'node:test';
import { safeParse } from 'valibot';
import { settings } from './settings.ts';
import { fillFor } from './template.ts';
import { fits, visitor } from './visitor.ts';

const broker = 'mqtt://10.0.0.5';
const pem = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n';

/** What is wrong, as text. */
function faults(schema: typeof settings | typeof visitor, input: unknown): string {
  const { issues = [] } = safeParse(schema, input);
  return issues.map(({ message }) => message).join('\n');
}

test('settings say what is wrong with them, and never a secret', () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [{}, /broker: required/],
    [{ broker: 'http://x' }, /expected mqtt:\/\/HOST/],
    [{ broker: 'mqtt://me:geheim@x' }, /fields of their own/],
    [{ broker, tls: { ca: pem } }, /mqtts:\/\/ only/],
    [{ broker: 'mqtts://x', tls: { ca: '../../etc/passwd' } }, /without a path/],
    [{ broker: 'mqtts://x', tls: { cert: pem } }, /cert and key go together/],
    [{ broker, password: 'geheim' }, /a password needs a username/],
    [{ broker, username: 'a', password: 'geheim', passwordFile: 'x' }, /either password or/],
    [{ broker, session: '1h' }, /clientId/],
    [{ broker, dialect: 'sparkplug-b' }, /sparkplug/],
    [{ broker, dialect: 'tasmota' }, /needs its topic/],
    [{ broker, topic: 'a/#' }, /without \+ and #/],
    [{ broker, keepalive: '0s' }, /duration/],
    [{ broker, retain: true }, /unknown field/],
  ];
  for (const [given, says] of cases) {
    const found = faults(settings, given);
    assert.match(found, says, JSON.stringify(given));
    assert.doesNotMatch(found, /geheim/);
  }
  const ok = {
    broker: 'mqtts://[::1]:8884',
    tls: { ca: pem, cert: 'a.pem', key: 'a.key' },
    version: '5',
  };
  assert.equal(faults(settings, ok), '');
});

test('visitors say what is wrong with them', () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ expose: 'a', metric: 'b' }, /give one of/],
    [{ expose: 'a', topic: 'b' }, /topic, path: not with/],
    [{ path: '$..x' }, /expected a path/],
    [{ type: 'enum' }, /map/],
    [{ type: 'bool', on: 1 }, /give both/],
    [{ type: 'uint8', bit: 8 }, /bit/],
    [{ type: 'uint8', path: 'a' }, /not in JSON/],
    [{ type: 'text', scale: 2 }, /scale, offset: not with text/],
    [{ command: { topic: 'a', payload: 'on' } }, /\{value\} or \{json\}/],
    [{ command: { topic: 'a', confirm: 'response' } }, /needs response/],
    [{ scale: 0 }, /loses the value/],
  ];
  for (const [given, says] of cases) {
    assert.match(faults(visitor, given), says, JSON.stringify(given));
  }
});

test('a visitor fits the properties that it can serve', () => {
  const misfit = (given: object, type: string, access = 'read'): string => {
    const parsed = safeParse(visitor, given);
    assert.ok(parsed.success);
    return fits(parsed.output, { name: 'p', type, access } as never) ?? '';
  };
  assert.equal(misfit({}, 'float'), '');
  assert.match(misfit({}, 'bool'), /set type/);
  assert.match(misfit({}, 'float', 'readWrite'), /command/);
  assert.equal(misfit({ expose: 'x' }, 'float', 'readWrite'), '');
  assert.match(misfit({ sensor: 'x' }, 'float', 'readWrite'), /command/);
  assert.match(misfit({ type: 'enum', map: { a: 1 } }, 'string'), /map/);
  assert.equal(misfit({ type: 'enum', map: { a: 1 } }, 'int'), '');
  const part = { type: 'uint8', byte: 2, command: { topic: 'x' } };
  assert.match(misfit(part, 'int', 'readWrite'), /part of a payload/);
});

test('templates are filled with what is known of the device', () => {
  const given = { broker, topic: 'hall/{line}/{name}', variables: { line: '3' } };
  const parsed = safeParse(settings, given);
  assert.ok(parsed.success);
  const fill = fillFor(parsed.output, 'plant/pump-1');
  assert.equal(fill('{topic}/state'), 'hall/3/pump-1/state');
  assert.equal(fill('{namespace}.{device}'), 'plant.plant/pump-1');
  assert.throws(() => fill('{nobody}'), { code: 'MQTT_TOPIC' });
});
