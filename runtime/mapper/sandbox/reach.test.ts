import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRule, Reach } from './reach.ts';

test('a rule is a network, an address, a name or any host, with or without a port', () => {
  const good = [
    '10.0.0.0/8',
    '10.0.0.0/8:502',
    '10.1.2.3',
    '10.1.2.3:502',
    'plc.local',
    'PLC.local.:502',
    'plc_1',
    '*:502',
    'fd00::/8',
    '[fd00::1]:502',
    '[fd00::]/8:502',
    '::1',
  ];
  for (const text of good) assert.ok(parseRule(text), text);
  const bad = [
    '',
    '*',
    '*/8:5',
    '10.0.0.0/33',
    '10.0.0.300',
    '1.2.3',
    'plc:0',
    'plc:70000',
    'tcp://plc:502',
    'a b',
    'plc/8',
    '[fd00::1',
    'user@plc',
    'plc..local',
  ];
  for (const text of bad) assert.equal(parseRule(text), undefined, text);
});

test('what is not declared is not reached', () => {
  const reach = new Reach(['10.0.0.0/8', 'plc.local:502', '*:4840', '[fd00::]/8:502']);
  const table: [string, number, string][] = [
    ['10.255.0.1', 1, 'yes'],
    ['11.0.0.1', 1, 'no'],
    ['plc.local', 502, 'yes'],
    ['PLC.LOCAL.', 502, 'yes'],
    ['anything.example', 4840, 'yes'],
    ['192.168.1.1', 4840, 'yes'],
    ['fd12::1', 502, 'yes'],
    ['fd12::1', 503, 'no'],
    ['fe80::1', 502, 'no'],
    // A name may lead into the network, which only its addresses tell.
    ['plc.local', 503, 'lookup'],
    ['::ffff:10.0.0.1', 1, 'yes'],
    ['::ffff:11.0.0.1', 1, 'no'],
  ];
  for (const [host, port, verdict] of table) {
    assert.equal(reach.host(host, port), verdict, `${host}:${port}`);
  }
  assert.ok(reach.address('10.0.0.1', 502));
  assert.ok(!reach.address('192.168.0.1', 502));
});

test('without rules nothing is reached, and with true everything', () => {
  for (const none of [false, []] as const) {
    assert.equal(new Reach(none).host('localhost', 1), 'no');
    assert.equal(new Reach(none).address('127.0.0.1', 1), false);
  }
  assert.equal(new Reach(true).host('localhost', 1), 'yes');
  assert.equal(new Reach(['plc.local']).host('localhost', 1), 'no');
});
