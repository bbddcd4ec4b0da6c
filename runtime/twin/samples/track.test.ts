/** What becomes of one property's reports. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Reported } from '@limpet/dmi/manifest';
import { begin, due, heard, type Heard, released, type Track } from './track.ts';

const good = (value: number, at: number): Reported<number> => ({ value, at, quality: 'good' });
const stale = (at: number): Reported<number> => ({ value: 1, at, quality: 'stale' });

function run(track: Track, reports: readonly (readonly [Reported<number>, number, number?])[]) {
  const kept: string[] = [];
  let now = track;
  const keep = ({ track: after, gap, samples }: Heard): void => {
    now = after;
    if (gap) kept.push(`${gap.cause} ${gap.from}-${gap.to}`);
    for (const { at, value, quality } of samples)
      kept.push(`${at}=${Number(value)}${quality === 'bad' ? '!' : ''}`);
  };
  for (const [reported, at, seen] of reports) keep(heard(now, reported, { now: at, seen }));
  return { track: now, kept, keep };
}

test('every report is a sample at the time the device gave it; of a bad one, at the time it went bad', () => {
  const { kept } = run(begin(0), [
    [good(1, 10), 11],
    [good(2, 20), 21],
    [{ value: 2, at: 20, quality: 'bad' }, 30],
  ]);
  assert.deepEqual(kept, ['10=1', '20=2', '30=2!']);
});

test('while the device is away there is one gap, from when it was last seen to its first answer', () => {
  const { kept, track } = run(begin(0), [
    [good(1, 10), 10],
    [stale(10), 60, 40],
    [stale(10), 70, 40],
    [good(1, 100), 100],
    [stale(100), 130, 90],
  ]);
  assert.deepEqual(kept, ['10=1', 'away 40-100', '100=1']);
  assert.deepEqual(track.open, { cause: 'away', from: 100 }, 'not before the last sample');
});

test('a gap that was open when the edge started ends with the first answer', () => {
  const { kept, track } = run(begin(0, { cause: 'down', from: 5 }), [
    [stale(1), 50],
    [good(3, 60), 60],
  ]);
  assert.deepEqual(kept, ['down 5-60', '60=3']);
  assert.equal(track.open, undefined);
});

test('a clock that went back ends a gap where it began', () => {
  const { kept } = run(begin(0, { cause: 'down', from: 500 }), [[good(3, 60), 60]]);
  assert.deepEqual(kept, ['down 500-500', '60=3']);
});

test('with a period, what stood for less is left out, and the last value comes once it has stood', () => {
  const first = run(begin(10), [
    [good(1, 100), 100],
    [good(2, 103), 103],
    [good(3, 106), 106],
  ]);
  assert.deepEqual(first.kept, ['100=1']);
  first.keep(due(first.track, 115));
  assert.equal(first.kept.length, 1);
  first.keep(due(first.track, 116));
  assert.deepEqual(first.kept, ['100=1', '106=3']);
  const second = run(begin(10), [
    [good(1, 100), 100],
    [good(2, 103), 103],
    [good(3, 130), 130],
    [good(4, 131), 131],
    [stale(131), 135],
  ]);
  assert.deepEqual(second.kept, ['100=1', '103=2', '130=3', '131=4'], 'also before a gap');
  assert.deepEqual(released(second.track).samples, []);
});

test('a clock that went back does not hold a property back until it has caught up', () => {
  const { kept } = run(begin(10), [
    [good(1, 1_000_000), 1_000_000],
    [good(2, 50), 50],
    [good(3, 61), 61],
  ]);
  assert.deepEqual(kept, ['1000000=1', '50=2', '61=3']);
});

test('the time of the device counts, unless it lies before what is known already', () => {
  const { kept } = run(begin(0), [
    [good(1, 1_000), 5_000],
    [good(2, 1_500), 5_500],
    [stale(1_500), 9_000, 6_000],
    [good(2, 1_500), 10_000],
    [good(3, 1_600), 10_100],
    [stale(1_600), 12_000, 11_000],
    [good(4, 11_500), 13_000],
  ]);
  assert.deepEqual(kept, [
    '1000=1',
    '1500=2',
    'away 6000-10000',
    '10000=2',
    '10100=3',
    'away 11000-11500',
    '11500=4',
  ]);
});
