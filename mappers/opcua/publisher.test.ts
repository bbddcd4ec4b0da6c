/** Messages that arrive while others are still being taken; the server is a list of answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type NotificationMessage, RepublishRequest } from 'node-opcua-types';
import { Publisher } from './publisher.ts';
import type { Session } from './session.ts';

const message = (sequenceNumber: number): NotificationMessage =>
  ({ sequenceNumber, notificationData: [{}] }) as unknown as NotificationMessage;

/** Publishes these numbers at once, then nothing; answers a Republish when `found` is called. */
function publishing(numbers: readonly number[]) {
  const life = new AbortController();
  const left = [...numbers];
  const republished: number[] = [];
  const waiting: (() => void)[] = [];
  const session = {
    async ask(request: object): Promise<object> {
      if (request instanceof RepublishRequest) {
        republished.push(request.retransmitSequenceNumber);
        await new Promise<void>((resolve) => waiting.push(resolve));
        return { notificationMessage: message(request.retransmitSequenceNumber) };
      }
      const next = left.shift();
      if (next === undefined) return new Promise(() => undefined);
      return { subscriptionId: 1, notificationMessage: message(next) };
    },
  };
  const publisher = new Publisher(session as unknown as Session, life.signal);
  const found = (): void => waiting.splice(0).forEach((resolve) => resolve());
  return { publisher, life, republished, found };
}

test('a message that takes its time is not overtaken by the next', async () => {
  const { publisher, life } = publishing([1, 2, 3]);
  const slow = Promise.withResolvers<void>();
  const taken: number[] = [];
  const take = async ({ sequenceNumber }: NotificationMessage): Promise<void> => {
    if (sequenceNumber === 1) await slow.promise;
    taken.push(sequenceNumber);
  };
  publisher.add(1, { take, lost: assert.ifError }, 1_000);
  await turn();
  slow.resolve();
  for (let count = 0; count < 10; count++) await turn();
  assert.deepEqual(taken, [1, 2, 3]);
  life.abort();
});

test('what is asked for again is asked once, and told in its place', async () => {
  const { publisher, life, republished, found } = publishing([1, 3, 4, 5]);
  const taken: number[] = [];
  const take = async ({ sequenceNumber }: NotificationMessage): Promise<void> =>
    void taken.push(sequenceNumber);
  publisher.add(1, { take, lost: assert.ifError }, 1_000);
  for (let count = 0; count < 20; count++) {
    await turn();
    found();
  }
  assert.deepEqual(republished, [2]);
  assert.deepEqual(taken, [1, 2, 3, 4, 5]);
  life.abort();
});
