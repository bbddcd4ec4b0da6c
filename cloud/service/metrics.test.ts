/** What a running cloud says of itself. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { ApiClient } from '#protocol/api';
import { startCloud } from './main.ts';
import { cloudMetrics } from './metrics.ts';
import { BOUNDS_MS, Durations } from './store/durations.ts';
import { BOILER, silent } from './testing.ts';

async function cloud(t: TestContext) {
  const data = mkdtempSync(path.join(tmpdir(), 'limpet-metrics-'));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const accessLog = path.join(data, 'access.log');
  const service = await startCloud({ data, listen: '127.0.0.1:0', log: silent, accessLog });
  t.after(() => service.close());
  return { service, accessLog };
}

test('a cloud that runs is well and ready, and measures its commits', async (t) => {
  const { service } = await cloud(t);
  for (const probe of ['/healthz', '/readyz']) {
    const response = await fetch(service.url + probe);
    assert.deepEqual([response.status, await response.text()], [200, 'ok']);
  }
  await new ApiClient({ url: service.url }).create(BOILER);
  const text = await (await fetch(`${service.url}/metrics`)).text();
  const commits = Number(/limpet_cloud_commit_seconds_count (\d+)/.exec(text)?.[1]);
  assert.ok(commits >= 2, text);
  for (const line of text.trim().split('\n')) {
    assert.match(line, /^# (HELP|TYPE) \w+ .+$|^\w+(\{[^}]*\})? [-+.e\d]+$/);
  }
});

test('each request is in the access log, without what it asked for in detail', async (t) => {
  const { service, accessLog } = await cloud(t);
  await fetch(`${service.url}/apis/limpet.dev/v1/devices?labelSelector=secret%3D1`, {
    headers: { authorization: 'Bearer hush-hush' },
  });
  await service.close();
  const text = readFileSync(accessLog, 'utf8');
  const line = JSON.parse(text) as Record<string, unknown>;
  assert.deepEqual([line['path'], line['code']], ['/apis/limpet.dev/v1/devices', 200]);
  assert.ok(Number(line['bytes']) > 0);
  assert.doesNotMatch(text, /secret|hush/);
});

test('a store that refuses writes, and edges that were sent away, are told by their codes', () => {
  const durations = new Durations();
  for (const ms of [0.5, 30, 30, 9_000]) durations.add(ms);
  const text = cloudMetrics({
    version: '1',
    hub: {
      connections: 3,
      nodes: 2,
      turnedAway: 0,
      intake: { bytes: 9, pauses: 8 },
      reports: { pages: 5, rows: 50, waiting: 1 },
      sentAway: new Map([['SYNC_TOO_FAST', 4]]),
    },
    store: { waiting: 7, commits: durations.look(), failures: 1, failing: 'STORE_FULL' },
    api: { requests: 1, watches: 2, refused: 3, cut: 4, unreadBytes: 5 },
    queries: {
      running: 1,
      waiting: 2,
      ended: { answered: 3, refused: 4, failed: 5, stopped: 6, turned_away: 7 },
      slow: 8,
    },
    standing: {
      open: 6,
      remembered: 7,
      rows: 8,
      events: 9,
      resets: 10,
      looks: 11,
      scans: 12,
      refused: 13,
    },
  });
  assert.match(text, /^limpet_cloud_store_failing\{code="STORE_FULL"\} 1$/m);
  assert.match(text, /^limpet_cloud_queries_total\{end="turned_away"\} 7$/m);
  assert.match(text, /^limpet_cloud_sent_away_total\{code="SYNC_TOO_FAST"\} 4$/m);
  assert.match(text, /^limpet_cloud_commit_seconds_bucket\{le="0.05"\} 3$/m);
  assert.match(text, /^limpet_cloud_commit_seconds_bucket\{le="\+Inf"\} 4$/m);
  assert.equal(text.match(/_bucket\{/g)?.length, BOUNDS_MS.length + 1);
});
