import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lineage } from './lineage.ts';
import { encodePayload, type Metric, TYPE } from './payload.ts';

const at = 1_700_000_000_000;

function bytes(seq: number | undefined, ...metrics: Metric[]): Buffer {
  return encodePayload({ timestamp: at, metrics, ...(seq !== undefined && { seq }) });
}

const bdSeq = (long: number): Metric => ({ name: 'bdSeq', datatype: TYPE.Int64, long });
const heat = (double: number): Metric => ({ alias: 5, double });

function born(): Lineage {
  const lineage = new Lineage({ group: 'g', node: 'n', device: 'd' });
  assert.equal(lineage.missed, 'no birth was heard yet');
  lineage.hear('NBIRTH', undefined, bytes(0, bdSeq(3)));
  const metric = { name: 'heat', datatype: TYPE.Double, ...heat(20) };
  const news = lineage.hear('DBIRTH', 'd', bytes(1, metric));
  assert.deepEqual(news, { kind: 'metrics', names: ['heat'] });
  assert.equal(lineage.missed, undefined);
  return lineage;
}

test('data by alias is of the metric that the birth gave it to, with the time of its payload', () => {
  const lineage = born();
  assert.deepEqual(lineage.hear('DDATA', 'd', bytes(2, heat(21))), {
    kind: 'metrics',
    names: ['heat'],
  });
  assert.equal(lineage.known('heat')?.metric.double, 21);
  assert.equal(lineage.known('heat')?.metric.timestamp, at);
  assert.equal(lineage.known('heat')?.datatype, TYPE.Double);
});

test('numbers run over all messages of the node, round at 255; a copy is no gap, a hole is', () => {
  const lineage = born();
  let seq = 1;
  for (let count = 0; count < 600; count++) {
    seq = (seq + 1) % 256;
    lineage.hear('DDATA', count % 2 === 0 ? 'd' : 'other', bytes(seq, heat(count)));
    if (count === 300) lineage.hear('DDATA', 'd', bytes(seq, heat(count)));
    assert.equal(lineage.missed, undefined);
  }
  lineage.hear('DDATA', 'other', bytes((seq + 3) % 256));
  assert.match(lineage.missed ?? '', /were missed/);
  lineage.hear('NBIRTH', undefined, bytes(0, bdSeq(3)));
  assert.equal(lineage.missed, undefined);
});

test('an alias that no birth declared, and data before a birth, ask for a birth', () => {
  const lineage = born();
  lineage.hear('DDATA', 'd', bytes(2, { alias: 77, int: 1 }));
  assert.match(lineage.missed ?? '', /77/);
  const unborn = new Lineage({ group: 'g', node: 'n', device: 'd' });
  assert.deepEqual(unborn.hear('DDATA', 'd', bytes(9, heat(1))), { kind: 'nothing' });
  assert.match(unborn.missed ?? '', /before a birth/);
});

test('the last will of an earlier connection of the node is no death of this one', () => {
  const lineage = born();
  assert.deepEqual(lineage.hear('NDEATH', undefined, bytes(undefined, bdSeq(2))), {
    kind: 'nothing',
  });
  assert.ok(lineage.born);
  const news = lineage.hear('NDEATH', undefined, bytes(undefined, bdSeq(3)));
  assert.equal(news.kind, 'dead');
  assert.ok(!lineage.born);
});

test('a device dies alone', () => {
  const lineage = born();
  assert.equal(lineage.hear('DDEATH', 'other', bytes(2)).kind, 'nothing');
  assert.ok(lineage.born);
  assert.equal(lineage.hear('DDEATH', 'd', bytes(3)).kind, 'dead');
});

test('values of the past do not take the place of what is', () => {
  const lineage = born();
  const news = lineage.hear('DDATA', 'd', bytes(2, { ...heat(3), historical: true }));
  assert.deepEqual(news, { kind: 'metrics', names: [] });
  assert.equal(lineage.known('heat')?.metric.double, 20);
  assert.equal(lineage.historical, 1);
});
