import { type FakeClock, fakeContext } from '@limpet/dmi/testing';
import { Aedes } from 'aedes';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundledMapper } from './bundled-mapper.fixture.ts';
import { mqttClient } from './mqtt-client.ts';

test('the bundled MQTT mapper carries nothing that dials, and reads', async (t) => {
  const { mapper, carried, parse } = await bundledMapper(t, 'mqtt', mqttClient());
  assert.ok(carried.some((file) => file.endsWith('mqtt/build/lib/client.js')));
  const heavy =
    /\/(ws|socks|worker-timers|lru-cache|commist|help-me|url|debug)\/|\/connect\/|readable-stream/;
  assert.deepEqual(
    carried.filter((file) => heavy.test(file)),
    [],
  );

  const broker = await Aedes.createBroker();
  t.after(() => new Promise<void>((resolve) => broker.close(resolve)));
  const kept = { cmd: 'publish', topic: 'hall', qos: 0, retain: true, dup: false } as const;
  const { promise, resolve } = Promise.withResolvers<void>();
  broker.publish({ ...kept, payload: Buffer.from('21.5') }, () => resolve());
  await promise;
  const context = fakeContext({
    wire: (wire) => void broker.handle(wire as Parameters<Aedes['handle']>[0]),
  });
  const { signal } = new AbortController();
  const where = { broker: 'mqtt://broker', topic: 'hall', retained: 'use' };
  const settings = await parse('settings', where);
  const connection = await passing(mapper.connect(settings, context, signal), context.clock);
  const read = connection.read([await parse('visitor', {})], signal);
  assert.deepEqual(await passing(read, context.clock), [{ ok: true, value: 21.5 }]);
  await connection.close();
  // What this broker says to version 5.
  const newer = mapper.connect(
    await parse('settings', { ...where, version: '5' }),
    context,
    signal,
  );
  await assert.rejects(passing(newer, context.clock), { code: 'MQTT_VERSION' });
});

/** Lets time pass until it is settled. */
async function passing<T>(promise: Promise<T>, clock: FakeClock): Promise<T> {
  let over = false;
  const settled = (): void => void (over = true);
  promise.then(settled, settled);
  while (!over) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(1);
  }
  return promise;
}
