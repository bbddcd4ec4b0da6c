/** The MQTT mapper with a broker and devices that are not ours: mosquitto, and clients of package `mqtt`. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { Unreachable } from '@limpet/dmi';
import { Authority } from '../rig/authority.ts';
import { pause, until } from '../rig/until.ts';
import { folderFor, Mosquitto, open, visitorOf, watch } from './mqtt-devices-bench.ts';

const soon = (): AbortSignal => AbortSignal.timeout(15_000);

async function broker(t: TestContext, lines?: readonly string[]): Promise<Mosquitto> {
  const { started, end } = await Mosquitto.inFolder(lines);
  t.after(end);
  return started;
}

for (const version of ['3.1.1', '5']) {
  test(`MQTT ${version}: kept and live values, orders that the device confirms, refuses, ignores`, async (t) => {
    const mosquitto = await broker(t);
    const device = await mosquitto.client();
    t.after(() => device.endAsync(true));
    await device.publishAsync('pump/state', '{"rpm": 900}', { retain: true });
    await device.subscribeAsync(['pump/set', 'pump/mode/set'], { qos: 2 });
    device.on('message', (topic, payload) => {
      const { rpm } =
        topic === 'pump/set' ? (JSON.parse(payload.toString()) as { rpm: number }) : { rpm: 0 };
      if (topic === 'pump/set')
        device.publish('pump/state', `{"rpm": ${Math.min(rpm, 3000)}}`, { retain: true });
      else device.publish('pump/mode/done', '{"mode": "eco"}');
    });
    const address = `mqtt://127.0.0.1:${mosquitto.port}`;
    const connection = await open({ broker: address, version, topic: 'pump', timeout: '2s' });
    t.after(() => connection.close());
    const command = { topic: '{topic}/set', payload: '{"rpm":{value}}', qos: 2 };
    const speed = { topic: '{topic}/state', path: 'rpm', command };
    const [rpm] = await watch(connection, speed);
    await rpm?.says(900);
    assert.equal(rpm?.code, 'MQTT_RETAINED', 'nobody knows how old it is');
    assert.equal(await connection.write(await visitorOf(speed), 1200, soon()), 1200);
    await rpm?.says(1200);
    assert.equal(rpm?.code, undefined, 'what was heard live is in no doubt');
    assert.equal(
      await connection.write(await visitorOf(speed), 9999, soon()),
      3000,
      'as the device took it',
    );
    const response = { topic: '{topic}/mode/done', path: 'mode' };
    const mode = {
      topic: '{topic}/mode',
      type: 'text',
      command: { topic: '{topic}/mode/set', response },
    };
    assert.equal(await connection.write(await visitorOf(mode), 'eco', soon()), 'eco');
    const deaf = { topic: '{topic}/x', command: { topic: '{topic}/x/set' } };
    const code = version === '5' ? 'MQTT_NOBODY' : 'MQTT_UNCONFIRMED';
    await assert.rejects(connection.write(await visitorOf(deaf), 1, soon()), { code });
    const [reading] = await connection.read([await visitorOf({ topic: 'pump/never' })], soon());
    assert.ok(reading?.ok === false && reading.error.code === 'MQTT_NO_VALUE');
  });
}

test('a broker that is killed loses all its devices at once, and has them again when it is back', async (t) => {
  const mosquitto = await broker(t);
  const settings = { broker: `mqtt://127.0.0.1:${mosquitto.port}`, topic: 'a/{name}' };
  const names = ['one', 'two', 'three'];
  const connections = await Promise.all(
    names.map((name) => open(settings, { device: `default/${name}` })),
  );
  const watched = await Promise.all(connections.map((each) => watch(each, {})));
  const device = await mosquitto.client();
  for (const name of names) await device.publishAsync(`a/${name}`, '5', { retain: true, qos: 1 });
  for (const [each] of watched) await each?.says(5);
  await pause(1_500);
  await mosquitto.kill();
  await until(() =>
    watched.every(([each]) => each?.lost instanceof Unreachable) ? undefined : 'not lost',
  );
  await assert.rejects(open(settings), { code: 'PORT_REFUSED' });
  for (const each of connections) await each.close();
  await mosquitto.again();
  const connection = await open(settings, { device: 'default/one' });
  t.after(() => connection.close());
  const [again] = await watch(connection, {});
  await again?.says(5);
});

test('a broker that hangs is noticed by its silence', async (t) => {
  const mosquitto = await broker(t);
  const settings = { broker: `mqtt://127.0.0.1:${mosquitto.port}`, keepalive: '1s', timeout: '1s' };
  const connection = await open(settings);
  t.after(() => connection.close());
  const [each] = await watch(connection, {});
  mosquitto.hang();
  await until(() => (each?.lost === undefined ? 'not lost' : undefined), 5_000);
  assert.match(String(each?.lost?.message), /no answer from the broker/);
});

test('a session that the broker keeps brings what came meanwhile, once', async (t) => {
  const mosquitto = await broker(t);
  const address = `mqtt://127.0.0.1:${mosquitto.port}`;
  const settings = { broker: address, clientId: 'kept', session: '1h', topic: 'meter' };
  const first = await open(settings);
  await watch(first, {});
  await first.close();
  const device = await mosquitto.client();
  t.after(() => device.endAsync(true));
  await device.publishAsync('meter', '41', { qos: 1 });
  await device.publishAsync('meter', '42', { qos: 1 });
  const second = await open(settings);
  t.after(() => second.close());
  const [each] = await watch(second, {});
  await each?.says(42);
  await pause(200);
  const told = each?.readings.flatMap((reading) => (reading.ok ? [reading.value] : [])) ?? [];
  assert.equal(told.filter((value) => value === 42).length, 1, JSON.stringify(told));
});

test('TLS: the right authority, the wrong one, another host; a password, a wrong one, one in a file', async (t) => {
  const folder = folderFor(t);
  const authority = new Authority(folder, 'plant-ca');
  const other = new Authority(folder, 'other-ca');
  const { cert, key } = authority.issue('broker', 'DNS:broker.plant', 2);
  const passwords = path.join(folder, 'passwords');
  spawnSync('mosquitto_passwd', ['-b', '-c', passwords, 'edge', 'geheim']);
  const mosquitto = await broker(t, [
    `cafile ${authority.cert}`,
    `certfile ${cert}`,
    `keyfile ${key}`,
    `password_file ${passwords}`,
    'allow_anonymous false',
  ]);
  copyFileSync(authority.cert, path.join(folder, 'ca.pem'));
  writeFileSync(path.join(folder, 'secret'), 'geheim\n');
  const address = `mqtts://127.0.0.1:${mosquitto.port}`;
  const servername = 'broker.plant';
  const good = {
    broker: address,
    tls: { ca: 'ca.pem', servername },
    username: 'edge',
    passwordFile: 'secret',
  };
  const connection = await open(good, { folder });
  await connection.read([await visitorOf({ topic: 'x', retained: 'use' })], soon());
  await connection.close();
  const { passwordFile: _, ...named } = good;
  const refused = async (settings: object, code: string, says: RegExp): Promise<void> => {
    await assert.rejects(open(settings, { folder }), (error: Unreachable) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, says);
      assert.doesNotMatch(error.message, /geheim|falsch/);
      return true;
    });
  };
  const ca = path.basename(other.cert);
  await refused({ ...good, tls: { ca, servername } }, 'MQTT_TLS', /tls\.ca/);
  await refused({ ...good, tls: { servername } }, 'MQTT_TLS', /tls\.ca/);
  await refused({ ...good, tls: { ca: 'ca.pem' } }, 'MQTT_TLS', /another host/);
  await refused({ ...named, password: 'falsch' }, 'MQTT_NOT_AUTHORIZED', /password/);
  await refused({ ...good, passwordFile: 'absent' }, 'MQTT_FILE', /put the file there/);
  await refused(
    { ...good, broker: address.replace('mqtts', 'mqtt'), tls: undefined },
    'MQTT_LOST',
    /broker/,
  );
});

test('what is huge, no text, nested too deep or a flood hurts one value, and nothing is heaped up', async (t) => {
  const mosquitto = await broker(t);
  const device = await mosquitto.client();
  t.after(() => device.endAsync(true));
  const connection = await open({ broker: `mqtt://127.0.0.1:${mosquitto.port}`, topic: 'h' });
  t.after(() => connection.close());
  const visitor = { path: 'x' };
  const [bad, good] = await watch(
    connection,
    { ...visitor, topic: 'h/bad' },
    { ...visitor, topic: 'h/good' },
  );
  const cases: readonly (readonly [Buffer | string, string])[] = [
    [Buffer.alloc(5_000_000, 0x20), 'MQTT_TOO_LARGE'],
    [Buffer.from([0x7b, 0xff, 0xfe]), 'MQTT_NOT_TEXT'],
    ['['.repeat(50_000), 'MQTT_NOT_JSON'],
    ['{"x": ', 'MQTT_NOT_JSON'],
    ['{"x": "1e999"}', 'MQTT_NOT_A_NUMBER'],
  ];
  for (const [payload, code] of cases) {
    await device.publishAsync('h/bad', payload, { qos: 1 });
    await until(() => (bad?.code === code ? undefined : `${bad?.code} instead of ${code}`));
  }
  await device.publishAsync('h/good', '{"x": 7}', { qos: 1 });
  await good?.says(7);
  const before = process.memoryUsage().rss;
  for (let n = 0; n < 30_000; n++) device.publish('h/good', `{"x": ${n}}`);
  await device.publishAsync('h/good', '{"x": -1}', { qos: 1 });
  await good?.says(-1);
  assert.ok(process.memoryUsage().rss - before < 150e6, 'the flood is heaped up');
  assert.equal(bad?.lost, undefined);
});

test('what the mapper says in Sparkplug, protoc understands', async () => {
  const { encodePayload, TYPE } = await import('../../mappers/mqtt/sparkplug/payload.ts');
  const metric = { name: 'a', timestamp: 5, datatype: TYPE.Int16, int: 4_294_967_291 };
  const bytes = encodePayload({ timestamp: 1_486_144_502_122, metrics: [metric], seq: 3 });
  const ran = spawnSync('protoc', ['--decode_raw'], { input: bytes });
  assert.equal(ran.error, undefined, 'install the Debian package protobuf-compiler');
  const said = ran.stdout.toString().replaceAll(/\s+/g, ' ').trim();
  assert.equal(
    said,
    '1: 1486144502122 2 { 1: "a" 3: 5 4: 3 10: 4294967291 } 3: 3'.replace(
      '4: 3',
      `4: ${TYPE.Int16}`,
    ),
  );
});
