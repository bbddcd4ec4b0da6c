import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CapturePage, Device } from '@limpet/dmi/manifest';
import { parseRecording } from '@limpet/dmi/testing';
import { record, unseenWires } from './record.ts';

const HEAD = { limpet: 'capture', version: 1, device: 'd/1', protocol: 'p', settings: {} };

async function recorded(pages: () => AsyncGenerator<CapturePage>) {
  const lines = [JSON.stringify({ ...HEAD, properties: [], at: '', by: '' })];
  const sink = { write: (line: string) => void lines.push(line), close: () => undefined };
  const counts = await record(pages(), sink);
  return { counts, recording: parseRecording(lines.join('\n')) };
}

const page = (times: readonly number[], lost = 0): CapturePage => ({
  events: times.map((us) => ({ us, kind: 'out', bytes: 'AQ==' })),
  dropped: { events: lost, bytes: lost },
  wires: 1,
  more: false,
});

test('a capture that begins anew in between is one recording, and says so', async () => {
  const { counts, recording } = await recorded(async function* () {
    yield page([100, 900], 2);
    yield page([]);
    yield page([50, 200], 1);
  });
  assert.deepEqual(
    recording.events.map(({ us }) => us),
    [100, 900, 950, 1100],
  );
  assert.deepEqual(recording.dropped, { events: 3, bytes: 3 });
  assert.deepEqual([counts.bytes, counts.restarts], [4, 1]);
});

test('what was recorded before it failed can be replayed', async () => {
  const { counts, recording } = await recorded(async function* () {
    yield page([100]);
    throw new Error('the edge is gone');
  });
  assert.equal(recording.events.length, 1);
  assert.match(String(counts.failure), /the edge is gone/);
});

test('a device is not recorded for lack of wires only while it is online and has none at all', () => {
  const device = (state: string) => ({ metadata: { name: 'one' }, status: { state } }) as Device;
  const none = { ...page([]), wires: 0 };
  assert.match(unseenWires(device('online'), none) ?? '', /^"one" is online, and not over a wire/);
  assert.equal(unseenWires(device('offline'), none), undefined);
  assert.equal(unseenWires(device('online'), page([])), undefined);
  assert.equal(unseenWires(device('online'), { ...page([5]), wires: 0 }), undefined);
});
