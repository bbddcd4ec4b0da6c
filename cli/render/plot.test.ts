import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Plot } from './plot.ts';

test('a value holds until the next one, and a gap is marked as such', () => {
  const plot = new Plot({ from: 0, to: 100, columns: 10 });
  plot.add(20, 1);
  plot.add(40, 9);
  plot.add(90, 5);
  plot.gap(60, 80);
  assert.deepEqual(plot.lines(), [
    '9 ┤    ██',
    '  ┤    ██',
    '  ┤    ██   ▁',
    '  ┤    ██   █',
    '  ┤    ██   █',
    '1 ┤  ▁▁██···█',
  ]);
});

test('values all the same are a line, and none at all are no plot', () => {
  const plot = new Plot({ from: 0, to: 10, columns: 5 });
  assert.deepEqual(plot.lines(), []);
  plot.gap(0, 4);
  assert.deepEqual(plot.lines(), []);
  plot.add(5, 21.123456);
  assert.equal(plot.lines().at(-1), '21.123 ┤··▁▁▁');
});

test('what lies outside of the time is left out', () => {
  const plot = new Plot({ from: 0, to: 10, columns: 5 });
  plot.add(-1, 1000);
  plot.add(11, 1000);
  plot.add(3, 1);
  plot.gap(-50, -40);
  plot.gap(8, 900);
  assert.equal(plot.lines().at(-1), '1 ┤ ▁▁▁·');
});
