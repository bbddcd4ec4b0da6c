import { type Mapper } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { systemClock } from '../../../kernel/clock.ts';
import { type Channel } from '../channel.ts';
import { Collector } from './collector.ts';
import { MapperServer } from './mapper-server.ts';

test('what a mapper loads with its first device is collected once', async () => {
  const validate = (value: unknown) => ({ value });
  const any = { '~standard': { version: 1, vendor: 'test', validate } } as const;
  const [read, write, close] = [async () => [], async () => 0, async () => undefined];
  const connect = async () => ({ read, write, close });
  const mapper: Mapper<unknown, unknown> = {
    protocol: 'test',
    settings: any,
    visitor: any,
    connect,
  };
  let collected = 0;
  const clock = systemClock;
  const collector = new Collector({ collect: () => void collected++, clock });
  const server = new MapperServer({ mapper, clock, log: silentLog(), collector });
  const answers: unknown[] = [];
  const channel = { send: (message: unknown) => void answers.push(message) } as Channel;
  for (const connection of [1, 2]) {
    const device = `default/device-${connection}`;
    server.receive(channel, { t: 'connect', id: connection, connection, device, settings: {} });
    while (answers.length < connection) await setImmediate();
    await setImmediate();
    assert.equal(collected, 1);
  }
  await server.close();
});
