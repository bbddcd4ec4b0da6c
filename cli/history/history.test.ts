/** `limpet history` against a real cloud that has recorded something. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Json } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import { applyReports } from '../../cloud/service/hub/apply-report.ts';
import { join } from '../../cloud/service/hub/presence.ts';
import { type CloudService, startCloud } from '../../cloud/service/main.ts';
import { CloudStore } from '../../cloud/service/store/store.ts';
import { BOILER, BOILER_1, clockAt, FACTS, silent } from '../../cloud/service/testing.ts';
import { type Ran, runLimpet, temporaryFolder } from '../testing/run-limpet.ts';

let cloud: CloudService;
const cleanUps: (() => void)[] = [];

const START = Date.now() - 3_600_000;

before(async () => {
  const data = temporaryFolder({ after: (task: () => void) => void cleanUps.push(task) });
  await record(path.join(data, 'cloud.db'));
  cloud = await startCloud({ data, listen: '127.0.0.1:0', log: silentLog() });
});
after(async () => {
  await cloud.close();
  for (const cleanUp of cleanUps) cleanUp();
});

/** An hour ago, in five minutes: temperatures, and a pump that is switched on. */
async function record(file: string): Promise<void> {
  const clock = clockAt(START);
  const history = { ageMs: 1e9, bytes: 1e9 };
  const store = await CloudStore.open({ path: file, clock, log: silent, history });
  const node = BOILER_1.spec.node;
  await store.commit.run(async (tx) => {
    await tx.wanted.put('default/boiler', BOILER);
    await tx.wanted.put('default/boiler-1', BOILER_1);
    await join(tx, { type: 'hello', protocol: 1, node, epoch: 'e', rev: 0, facts: FACTS });
  });
  let seq = 0;
  const say = async (property: string, value: Json): Promise<void> => {
    seq++;
    const reported = { value, at: clock.now(), quality: 'good' as const };
    const row = { kind: 'property', seq, device: 'default/boiler-1', property, reported } as const;
    await store.commit.run((tx) => applyReports(tx, [{ node, rows: [row], to: seq, strays: 0 }]));
  };
  for (const value of [20, 30, 40, 50, 60]) {
    clock.advance(60_000);
    await say('temperature', value);
    await say('pump', value > 40);
  }
  await store.close();
}

function limpet(...args: readonly string[]): Promise<Ran> {
  return runLimpet(['history', ...args], { environment: { LIMPET_CLOUD: cloud.url } });
}

test('numbers are plotted, with their gaps and what they come to', async () => {
  const ran = await limpet('boiler-1.temperature', '--since', '2h');
  assert.equal(ran.code, 0, ran.err);
  assert.match(ran.out, /^default\/boiler-1\.temperature \(Cel\)$/m);
  assert.match(ran.out, /^60 ┤ +[░▔]/m);
  assert.match(ran.out, /^ +└─+×+$/m);
  assert.match(ran.out, /Z   \d+m, goes on +unseen: /);
  assert.match(
    ran.out,
    /min 20 Cel, mean [\d.]+ Cel, max 60 Cel, last 60 Cel, 5 samples, known \d.*bucket 2m/,
  );
  const table = await limpet('boiler-1.temperature', '--since', '2h', '--bucket', '1h', '--table');
  assert.match(table.out, /^FROM +MIN +MEAN +MAX +LAST +COUNT +KNOWN$/m);
});

test('samples one by one have the same plot above them', async () => {
  const environment = { LIMPET_CLOUD: cloud.url };
  const ran = await runLimpet(['samples', 'boiler-1.temperature', '--since', '2h'], {
    environment,
  });
  assert.match(
    ran.out,
    /^default\/boiler-1\.temperature: 5 samples, 1 gap in 2h\n60 ┤ +[░▔]/,
    ran.err,
  );
  assert.match(ran.out, /^ +└─+×+$/m);
  assert.match(ran.out, /Z {3}60\n.*gap \(unseen\) since \d+m/);
});

test('truth values are a table of changes; programs get all of it as one document', async () => {
  const ran = await limpet('boiler-1.pump', '--since', '2h');
  assert.match(ran.out, /3m0s +good +false\n.*good +true\n/, ran.err);
  const json = await limpet('boiler-1.pump', '--since', '2h', '--bucket', '1h', '--json');
  const said = JSON.parse(json.out) as Record<string, Record<string, unknown>>;
  assert.deepEqual(
    [said['device'], said['bucket'], said['summary']?.['count'], said['changes']?.['length']],
    ['default/boiler-1', '1h', 5, 2],
  );
});

test('what is not there is told with the nearest name, and a time without anything as such', async () => {
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['boiler-1.temprature'], 1, /no property "temprature".*Did you mean "temperature"/],
    [['boiler-2.temperature'], 1, /"default\/boiler-2" not found here.*"default\/boiler-1"/],
    [['boiler-1'], 2, /is not DEVICE\.PROPERTY/],
    [['boiler-1.temperature', '--bucket', '1ms'], 2, /--bucket 1ms is too short/],
  ];
  const ran = await Promise.all(cases.map(([args]) => limpet(...args)));
  for (const [index, [args, code, said]] of cases.entries()) {
    assert.match(ran[index]?.err ?? '', said, args.join(' '));
    assert.equal(ran[index]?.code, code, args.join(' '));
  }
  const early = await limpet('boiler-1.temperature', '--from', '2020-01-01', '--to', '2020-01-02');
  assert.match(early.out, /Nothing is known of this time/, early.err);
});
