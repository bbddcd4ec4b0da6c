import { fakeClock } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import test from 'node:test';
import { Taps } from './taps.ts';

test('what happens before a capture, or on other devices, is not in it', async () => {
  const clock = fakeClock();
  const taps = new Taps(clock);
  taps.note('default/a', 'out', Buffer.from([1]));
  assert.deepEqual(taps.page('default/a', 'c', 1).events, []);
  await clock.advance(5);
  taps.note('default/b', 'out', Buffer.from([2]));
  taps.note('default/a', 'open', 'tcp://x:1');
  taps.note('default/a', 'in', Buffer.from([3]));
  const { events, wires, more } = taps.page('default/a', 'c', 2);
  assert.deepEqual(JSON.parse(JSON.stringify(events)), [
    { us: 5000, kind: 'open', text: 'tcp://x:1' },
    { us: 5000, kind: 'in', bytes: 'Aw==' },
  ]);
  assert.deepEqual([wires, more], [2, false]);
});

test('what nobody fetches is dropped from 1 MiB on, oldest first, and counted', () => {
  const taps = new Taps(fakeClock());
  taps.page('d', 'c', 1);
  for (let at = 0; at < 20; at++) taps.note('d', 'in', Buffer.alloc(100_000, at));
  let [bytes, pages, first] = [0, 0, -1];
  for (let page = taps.page('d', 'c', 1); ; page = taps.page('d', 'c', 1)) {
    const data = page.events.map((event) => Buffer.from(event.bytes ?? '', 'base64'));
    if (first < 0) first = data[0]?.[0] ?? -1;
    bytes += data.reduce((sum, { length }) => sum + length, 0);
    pages += 1;
    assert.deepEqual(page.dropped, { events: 10, bytes: 1_000_000 });
    if (!page.more) break;
  }
  assert.deepEqual([bytes, first], [1_000_000, 10]);
  assert.ok(pages > 3, 'a page is bounded');
});

test('many small events and long texts count too, and no page is larger than a frame', () => {
  const taps = new Taps(fakeClock());
  taps.page('d', 'c', 1);
  for (let at = 0; at < 30_000; at++) taps.note('d', 'in', Buffer.of(at & 0xff));
  for (let at = 0; at < 1_000; at++) taps.note('d', 'close', 'x'.repeat(500));
  let [events, dropped, more] = [0, 0, true];
  while (more) {
    const page = taps.page('d', 'c', 1);
    assert.ok(JSON.stringify(page).length < 500_000);
    events += page.events.length;
    ({ more } = page);
    dropped = page.dropped.events;
  }
  assert.equal(events + dropped, 31_000);
  assert.ok(events < 6_000, `${events} are kept`);
});

test('a capture that nobody fetches ends, and only so many run at once', async () => {
  const clock = fakeClock();
  const taps = new Taps(clock);
  for (const capture of ['a', 'b', 'c', 'd']) taps.page('d', capture, 1);
  assert.throws(() => taps.page('d', 'e', 1), { code: 'CAPTURE_BUSY' });
  await clock.advance(10_001);
  taps.note('d', 'in', Buffer.of(1));
  assert.deepEqual(taps.page('d', 'e', 1).events, []);
});
