import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import test from 'node:test';
import { fakeClock } from './clock.ts';
import { formatRecording, parseRecording, type Recording } from './recording.ts';
import { type ReplayOptions, replayWire } from './replay.ts';

const HEADER = JSON.stringify({
  limpet: 'capture',
  version: 1,
  device: 'default/d',
  protocol: 'p',
  settings: {},
  properties: [],
  at: '2026-11-21T20:00:00.000Z',
  by: '0.1.0',
});

function recording(...lines: readonly object[]): Recording {
  const end = { end: 0, dropped: { events: 0, bytes: 0 } };
  return parseRecording(
    [HEADER, ...[...lines, end].map((line) => JSON.stringify(line))].join('\n'),
  );
}

const hex = (text: string): string => Buffer.from(text).toString('hex');

const TWICE = recording(
  { us: 0, open: 'tcp://x:1' },
  { us: 10, in: hex('hello;') },
  { us: 1000, out: hex('01a?') },
  { us: 3000, in: hex('01a=1') },
  { us: 3500, in: hex(';') },
  { us: 9000, out: hex('02b?') },
  { us: 9100, in: hex('02b=7;') },
  { us: 20_000, out: hex('03') },
  { us: 20_100, out: hex('a?') },
  { us: 21_000, in: hex('03a=2;') },
  { us: 30_000, close: '' },
);

function ask(
  of: Recording,
  options: ReplayOptions,
): {
  said: () => string;
  ask: (text: string) => Promise<void>;
  replay: ReturnType<typeof replayWire>;
} {
  const replay = replayWire(of, options);
  const [near, far] = duplexPair();
  let said = '';
  near.on('data', (chunk: Buffer) => (said += chunk.toString()));
  near.on('error', () => undefined);
  replay.serve(far);
  return {
    replay,
    said: () => said,
    async ask(text) {
      near.write(text);
      for (let turn = 0; turn < 3; turn++) await setImmediate();
    },
  };
}

test('the same request is answered as it was recorded, time after time, then as the last time', async () => {
  const { ask: put, said, replay } = ask(TWICE, { echoes: [{ at: 0, length: 2 }] });
  await put('90b?');
  await put('91a?92');
  await put('a?93a?');
  assert.equal(said(), 'hello;90b=7;91a=1;92a=2;93a=2;');
  assert.deepEqual([replay.faults, replay.unasked], [[], []]);
});

test('a request that the end of the recording left unanswered does not silence the device', async () => {
  const cut = recording(
    { us: 0, open: 'tcp://x:1' },
    { us: 1000, out: hex('a?') },
    { us: 3000, in: hex('a=1;') },
    { us: 9000, out: hex('a?') },
  );
  const { ask: put, said } = ask(cut, {});
  for (let round = 0; round < 3; round++) await put('a?');
  assert.equal(said(), 'a=1;a=1;a=1;');
});

test('without echoes every byte counts, and what differs is told with its place', async () => {
  const { ask: put, said, replay } = ask(TWICE, {});
  await put('01a?');
  await put('02c?');
  assert.equal(said(), 'hello;01a=1;');
  assert.match(
    replay.faults[0] ?? '',
    /the nearest is "3032623f", from which byte 2 differs \(63 instead of 62\)/,
  );
  assert.deepEqual(replay.unasked, [hex('02b?'), hex('03a?')]);
});

test('with a clock an answer comes as late as it was recorded', async () => {
  const clock = fakeClock();
  const { ask: put, said } = ask(TWICE, { clock });
  await put('01a?');
  assert.equal(said(), 'hello;');
  await clock.advance(2);
  await put('');
  assert.equal(said(), 'hello;01a=1');
  await clock.advance(0.5);
  await put('');
  assert.equal(said(), 'hello;01a=1;');
});

test('a recording is written as it is read, and what is wrong with one is told by its line', () => {
  assert.deepEqual(parseRecording(formatRecording(TWICE)), TWICE);
  const end = '{"end":0,"dropped":{"events":2,"bytes":9}}';
  assert.deepEqual(parseRecording(`${HEADER}\n${end}`).dropped, { events: 2, bytes: 9 });
  for (const [text, message] of [
    ['', /empty/],
    ['{"limpet":"x"}', /line 1: expected/],
    [HEADER, /cut short/],
    [`${HEADER}\nno\n${end}`, /line 2: not JSON/],
    [`${HEADER}\n{"us":-1,"in":"00"}\n${end}`, /line 2: expected "us"/],
    [`${HEADER}\n{"us":1,"in":"0"}\n${end}`, /line 2: "in" must be bytes in hex/],
    [`${HEADER}\n{"us":1}\n${end}`, /line 2: expected "open"/],
    [`${HEADER}\n{"us":2,"in":"00"}\n{"us":1,"in":"00"}\n${end}`, /line 3: its time/],
  ] as const) {
    assert.throws(() => parseRecording(text), message);
  }
});
