import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boundedPersistence } from './persistence.ts';

interface Retained {
  storeRetained(packet: { topic: string; payload: string }): Promise<void>;
  createRetainedStreamCombi(filters: readonly string[]): AsyncIterable<{ payload: string }>;
}

test('a new subscriber is told what is retained when it is told, not when that was looked up', async () => {
  const { aedes } = boundedPersistence({
    limits: { sessions: 1, messagesPerSession: 1, bytes: 1 },
    isOnline: () => true,
    retained: { messages: 10, bytes: 1000 },
    isNodes: () => true,
    isGranted: () => true,
    dropped: () => undefined,
  });
  const persistence = aedes as Retained;
  for (const topic of ['a', 'b', 'c']) await persistence.storeRetained({ topic, payload: 'old' });
  const told: string[] = [];
  for await (const packet of persistence.createRetainedStreamCombi(['#'])) {
    if (told.length === 0) {
      await persistence.storeRetained({ topic: 'b', payload: 'new' });
      await persistence.storeRetained({ topic: 'c', payload: '' });
    }
    told.push(packet.payload);
  }
  assert.deepEqual(told, ['old', 'new', '']);
});
