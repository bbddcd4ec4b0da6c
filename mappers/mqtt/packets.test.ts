import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Garbled } from '@limpet/dmi';
import mqttPacket from 'mqtt-packet';
import { FrameReader } from './frames.ts';
import * as orders from './orders.ts';
import { decode, type Incoming, type Level } from './packets.ts';

/** What the library of the MQTT.js project makes of what we send. */
function theirs(bytes: Buffer, level: Level): Record<string, unknown> {
  const found: Record<string, unknown>[] = [];
  const parser = mqttPacket.parser({ protocolVersion: level });
  parser.on('packet', (packet: unknown) => found.push({ ...(packet as object) }));
  parser.on('error', (error) => assert.fail(error));
  parser.parse(bytes);
  assert.equal(found.length, 1);
  return found[0] ?? {};
}

/** What we make of bytes, given one at a time. */
function ours(bytes: Buffer, level: Level, maxBytes = 1000): Incoming[] {
  const reader = new FrameReader(maxBytes);
  const frames = [...bytes].flatMap((byte) =>
    reader.push(Buffer.from([byte])).map((frame) => ({ ...frame, body: Buffer.from(frame.body) })),
  );
  const whole = new FrameReader(maxBytes).push(bytes);
  assert.deepEqual(
    whole.map(({ body }) => body.toString('hex')),
    frames.map(({ body }) => body.toString('hex')),
  );
  return frames.map((frame) => decode(frame, level));
}

function subset(found: object, wanted: object): void {
  for (const [key, value] of Object.entries(wanted)) {
    assert.deepEqual((found as Record<string, unknown>)[key], value, key);
  }
}

const CONNACK = {
  4: { cmd: 'connack', sessionPresent: true, returnCode: 5 },
  5: {
    cmd: 'connack',
    sessionPresent: true,
    reasonCode: 0x87,
    properties: { reasonString: 'no', serverKeepAlive: 20 },
  },
} as const;
const CONNACK_SAYS = {
  4: { code: 5, properties: {} },
  5: { code: 0x87, properties: { reason: 'no', keepaliveSeconds: 20 } },
};

for (const level of [4, 5] as const) {
  suite(`MQTT level ${level} against another implementation`, () => {
    const settings = { protocolVersion: level };

    test('what is sent is understood', () => {
      const order = {
        clientId: 'limpet-1',
        username: 'me',
        password: 'geheim ü',
        keepaliveSeconds: 300,
        clean: false,
        expirySeconds: 3600,
        maximumPacket: 70_000,
      };
      const connect = theirs(orders.connect(order, level), level);
      subset(connect, { cmd: 'connect', clientId: 'limpet-1', keepalive: 300, clean: false });
      assert.equal(String(connect['username']), 'me');
      assert.equal(String(connect['password']), 'geheim ü');
      if (level === 5) {
        subset(connect['properties'] as object, {
          sessionExpiryInterval: 3600,
          receiveMaximum: 100,
          maximumPacketSize: 70_000,
        });
      }
      const payload = Buffer.alloc(300, 7);
      const properties = { responseTopic: 'r/s', correlation: Buffer.from([1, 2]) };
      const message = { topic: 'a/ü', payload, qos: 2, retain: true, properties } as const;
      const publish = theirs(orders.publish(message, 0xabcd, level), level);
      subset(publish, { cmd: 'publish', topic: 'a/ü', qos: 2, retain: true, messageId: 0xabcd });
      assert.deepEqual(Buffer.from(publish['payload'] as Buffer), payload);
      if (level === 5) subset(publish['properties'] as object, { responseTopic: 'r/s' });
      const filters = [{ topic: 'a/+', qos: 1 } as const, { topic: '#', qos: 0 } as const];
      const subscribe = theirs(orders.subscribe(filters, 9, level), level);
      subset((subscribe['subscriptions'] as object[])[1] ?? {}, { topic: '#', qos: 0 });
      subset(theirs(orders.unsubscribe(['x'], 9, level), level), { unsubscriptions: ['x'] });
      subset(theirs(orders.acknowledge('pubrel', 77), level), { cmd: 'pubrel', messageId: 77 });
      subset(theirs(orders.PINGREQ, level), { cmd: 'pingreq' });
      subset(theirs(orders.DISCONNECT, level), { cmd: 'disconnect' });
    });

    test('what comes is understood, also one byte at a time', () => {
      const properties = {
        responseTopic: 'r',
        correlationData: Buffer.from('c'),
        userProperties: { a: 'b' },
        contentType: 'json',
      };
      const bytes = Buffer.concat([
        mqttPacket.generate(CONNACK[level], settings),
        mqttPacket.generate(
          {
            cmd: 'publish',
            topic: 'a/ü',
            payload: Buffer.from([0, 255]),
            qos: 1,
            retain: false,
            dup: true,
            messageId: 258,
            properties,
          },
          settings,
        ),
        mqttPacket.generate({ cmd: 'suback', messageId: 3, granted: [1, 128] }, settings),
        mqttPacket.generate({ cmd: 'pubrec', messageId: 4 }, settings),
        mqttPacket.generate({ cmd: 'pingresp' }, settings),
      ]);
      const [connack, publish, suback, pubrec, pingresp] = ours(bytes, level);
      subset(connack ?? {}, { kind: 'connack', present: true, ...CONNACK_SAYS[level] });
      subset(publish ?? {}, { topic: 'a/ü', qos: 1, dup: true, retain: false, id: 258 });
      subset(publish ?? {}, { payload: Buffer.from([0, 255]) });
      subset(publish ?? {}, level === 5 ? { correlation: Buffer.from('c') } : {});
      subset(suback ?? {}, { kind: 'suback', id: 3, codes: [1, 128] });
      subset(pubrec ?? {}, { kind: 'pubrec', id: 4, code: 0 });
      subset(pingresp ?? {}, { kind: 'pingresp' });
    });

    test('of a message beyond the ceiling the topic and number are taken, and the next is whole', () => {
      const message = (length: number, messageId: number) =>
        mqttPacket.generate(
          {
            cmd: 'publish',
            topic: 'big',
            payload: Buffer.alloc(length, 1),
            qos: 1,
            retain: false,
            dup: false,
            messageId,
          },
          settings,
        );
      const [big, small] = ours(Buffer.concat([message(20_000, 1), message(3, 2)]), level);
      subset(big ?? {}, { topic: 'big', id: 1 });
      assert.ok(big?.kind === 'publish' && big.skipped > 15_000);
      assert.ok(small?.kind === 'publish' && small.skipped === 0 && small.payload.length === 3);
    });

    test('nonsense is Garbled, whatever it is', () => {
      let seed = 7;
      const random = (): number => (seed = (seed * 48_271) % 0x7fffffff) & 0xff;
      for (let round = 0; round < 3000; round++) {
        const bytes = Buffer.from(Array.from({ length: 40 }, random));
        try {
          for (const frame of new FrameReader(1000).push(bytes)) decode(frame, level);
        } catch (error) {
          assert.ok(error instanceof Garbled, String(error));
        }
      }
    });
  });
}
