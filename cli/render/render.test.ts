import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { Live } from './live.ts';
import { resourceTable } from './resources.ts';
import { cell, layOut } from './table.ts';
import { twinTable } from './twin.ts';
import { ageText, valueText } from './words.ts';

const NOW = Date.parse('2026-11-21T10:00:30.000Z');

const MODEL: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'boiler' },
  spec: {
    protocol: 'modbus',
    properties: [
      { name: 'temperature', type: 'float', unit: 'Cel', visitor: {} },
      { name: 'setpoint', type: 'float', unit: 'Cel', access: 'readWrite', visitor: {} },
      { name: 'pump', type: 'bool', visitor: {} },
    ],
  },
};

const DEVICE: Device = {
  apiVersion: 'limpet.dev/v1',
  kind: 'Device',
  metadata: { name: 'boiler-1', namespace: 'default', labels: { hall: 'north' } },
  spec: { model: 'boiler', node: 'gateway-1', settings: {} },
  status: {
    state: 'online',
    lastSeen: '2026-11-21T10:00:29.500Z',
    twin: {
      temperature: {
        reported: { value: 55.29999923706055, at: '2026-11-21T10:00:00.000Z', quality: 'good' },
      },
      setpoint: {
        reported: {
          value: 50,
          at: '2026-11-21T10:00:00.000Z',
          quality: 'bad',
          reason: { code: 'MODBUS_EXCEPTION_2', message: 'no such register' },
        },
        desired: {
          value: 60,
          rev: 2,
          verdict: 'rejected',
          reason: { code: 'READ_BACK_DIFFERS', message: 'it says 50' },
          stages: { accepted: '2026-11-21T10:00:00.000Z' },
        },
      },
    },
  },
};

test('a twin is a row per property of the model, with every reason', () => {
  const lines = layOut(twinTable(DEVICE, MODEL, NOW), { colour: false });
  assert.deepEqual(lines, [
    'PROPERTY      VALUE   UNIT   QUALITY   AGE    DESIRED   VERDICT    REASON',
    'temperature   55.3    Cel    good      0.5s   -         -',
    'setpoint      50      Cel    bad       30s    60        rejected   MODBUS_EXCEPTION_2: no such register; READ_BACK_DIFFERS: it says 50',
    'pump          -              -         -      -         -',
  ]);
});

test('a good value is as fresh as its device, any other as old as itself', () => {
  const [, good, bad] = layOut(twinTable(DEVICE, MODEL, NOW + 5000), { colour: false });
  assert.match(good ?? '', / 5\.5s /);
  assert.match(bad ?? '', / 35s /);
});

test('a device is a line, with labels when wide', () => {
  const look = { now: NOW, namespaces: true, wide: true };
  const lines = layOut(resourceTable('Device', [DEVICE], look), { colour: false });
  assert.match(
    lines[0] ?? '',
    /^NAMESPACE +NAME +STATE +MODEL +NODE +LAST SEEN +AGE +LABELS +REASON$/,
  );
  assert.match(
    lines[1] ?? '',
    /^default +boiler-1 +online +boiler +gateway-1 +0\.5s +- +hall=north$/,
  );
});

test('ages have at most two units', () => {
  const cases: readonly [number, string][] = [
    [-500, '0.0s'],
    [400, '0.4s'],
    [9999, '9.9s'],
    [12_000, '12s'],
    [200_000, '3m20s'],
    [3_600_000, '60m'],
    [5 * 3_600_000, '5h'],
    [12 * 86_400_000, '12d'],
  ];
  for (const [ms, text] of cases) assert.equal(ageText(ms), text);
});

test('values are short, and free of the noise of single precision', () => {
  const cases = [
    [null, '-'],
    [0, '0'],
    [false, 'false'],
    [21.5, '21.5'],
    [0.10000000149011612, '0.1'],
    [9_007_199_254_740_991, '9007199254740991'],
    ['text', 'text'],
    [{ a: [1] }, '{"a":[1]}'],
  ] as const;
  for (const [value, text] of cases) assert.equal(valueText(value), text);
  assert.equal(valueText('x'.repeat(100)).length, 40);
});

test('what a device says cannot steer the terminal', () => {
  const [, line] = layOut({ head: ['A'], rows: [[cell('\u001b[2Jx\ny')]] }, { colour: false });
  assert.equal(line, '\u00b7[2Jx\u00b7y');
});

test('lines are cut at the width of the terminal, colour aside', () => {
  const table = { head: ['AAAA', 'B'], rows: [[cell('aa', 'good'), cell('bbbbbbbb', 'bad')]] };
  const [head, row] = layOut(table, { colour: true, columns: 10 });
  assert.equal(head, 'AAAA   B');
  assert.equal(row, '\u001b[32maa  \u001b[0m   \u001b[31mbb…\u001b[0m');
});

test('a picture taller than the terminal is cut, so that it can be drawn over', () => {
  const written: string[] = [];
  const live = new Live({ write: (text) => void written.push(text), columns: 80, rows: 4 });
  live.draw(['1', '2', '3', '4', '5']);
  live.draw(['1']);
  assert.match(written[0] ?? '', /1.*2.*… 3 more lines/s);
  assert.equal(written[1], '\u001b[3A\r1\u001b[K\n\u001b[J');
});
