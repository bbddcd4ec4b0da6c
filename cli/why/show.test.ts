import type { Explanation } from '@limpet/dmi/manifest';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyLines } from './show.ts';

const WHY: Explanation = {
  device: 'default/boiler-1',
  property: 'temperature',
  from: 'edge',
  now: '2026-11-22T10:00:00.000Z',
  unit: 'Cel',
  reported: { value: 61.5, at: '2026-11-22T09:58:00.000Z', quality: 'stale' },
  findings: [
    {
      stage: 'breaker',
      effect: 'stops',
      code: 'MODBUS_TIMEOUT',
      message: 'the device does not answer\u001b[2J',
      todo: 'check its power',
      since: '2026-11-22T09:59:00.000Z',
      until: '2026-11-22T10:00:05.000Z',
    },
  ],
  hops: [
    { hop: 'read', at: '2026-11-22T09:58:59.000Z' },
    { hop: 'acknowledged', at: '2026-11-22T09:58:01.000Z', by: true },
  ],
};

test('the answer comes first, with its times and what to do; what came from a device steers no terminal', () => {
  assert.deepEqual(whyLines(WHY, false), [
    'default/boiler-1.temperature = 61.5 Cel (stale)',
    '',
    'BREAKER  The device does not answer·[2J. [MODBUS_TIMEOUT]',
    '  since 2026-11-22T09:59:00.000Z (60s), until 2026-11-22T10:00:05.000Z (in 5.0s)',
    '  What to do: Check its power.',
    '',
    'read from the device     2026-11-22T09:58:59.000Z  61s ago',
    'on the disk of the cloud 2026-11-22T09:58:01.000Z  119s ago, or earlier',
  ]);
});

test('an order shows how far it got and where it waits', () => {
  const { findings: _, hops: __, ...rest } = WHY;
  const lines = whyLines(
    {
      ...rest,
      findings: [],
      hops: [],
      order: {
        value: 70,
        rev: 4,
        verdict: 'pending',
        stages: { accepted: '2026-11-22T09:59:50.000Z', stored: '2026-11-22T09:59:51.000Z' },
        finding: { stage: 'breaker', effect: 'stops', message: 'it waits for the device' },
      },
    },
    false,
  );
  assert.deepEqual(lines.slice(2), [
    'DESIRED 70 Cel: pending (accepted 10s ago, stored 9.0s ago, sent -, confirmed -)',
    '  BREAKER  It waits for the device.',
  ]);
});
