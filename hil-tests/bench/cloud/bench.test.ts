/** The scale bench at the size of a toy, so that it measures when it is needed: what it finds is not judged here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asked } from './arguments.ts';
import { bench } from './bench.ts';
import { Histogram } from './histogram.ts';
import { computed } from './scale-page.ts';
import { at, leastSquares } from './slopes.ts';
import { table } from './table.ts';

const TOY = { properties: 1_000, updatesPerS: 100, seconds: 0.4, generators: 2, say: () => {} };

test('fifty nodes connect, are mirrored, acknowledged, queried, and come back after a crash', async () => {
  const result = await bench({ ...TOY, nodes: [50] });
  for (const { properties, fill, load, fleetWatch, restart } of result.steps) {
    assert.equal(properties, 1_000);
    assert.ok(fill.propertiesPerS > 0);
    assert.ok(load.acknowledgedPerS > 0);
    assert.equal(load.freshness.unseen, 0);
    assert.deepEqual(load.failed, {});
    const { get, watch } = load.freshness;
    const latencies = [load.acknowledgement, get, watch, load.machine.empty, load.answers['get']];
    for (const latency of [...latencies, fleetWatch.lag]) assert.ok((latency?.count ?? 0) > 0);
    assert.ok(restart.flowingMs > 0);
  }
  assert.match(table(result), /updates acknowledged/);
  assert.match(computed(result), /1,000,000 nodes \| \d/);
  assert.doesNotMatch(computed(result), /NaN|Infinity/);
});

test('a plane through points that lie on it is found exactly', () => {
  const plane = { fixed: 60e6, worked: 90e6, nodes: 21_000, properties: 90, updates: 1_500 };
  const points = [1_000, 5_000, 10_000].flatMap((nodes) => [
    { worked: 0, nodes, properties: 0, updates: 0 },
    { worked: 1, nodes, properties: 10_000, updates: 0 },
    { worked: 1, nodes, properties: 100_000, updates: 0 },
    { worked: 1, nodes, properties: 100_000, updates: nodes / 2 },
  ]);
  const weighed = points.map((point) => ({ ...point, value: at(plane, point) }));
  const found = leastSquares(weighed, ['worked', 'nodes', 'properties', 'updates']);
  for (const key of ['fixed', 'worked', 'nodes', 'properties', 'updates'] as const) {
    assert.ok(Math.abs(found[key] / plane[key] - 1) < 1e-6, `${key}: ${found[key]}`);
  }
  assert.ok(found.worst < 1e-6);
});

test('what no point tells apart costs nothing rather than anything', () => {
  const none = { worked: 0, properties: 0, updates: 0 };
  const points = [
    { ...none, nodes: 0, value: 10 },
    { ...none, nodes: 5, value: 20 },
  ];
  const found = leastSquares(points, ['nodes', 'updates']);
  assert.ok(Math.abs(found.nodes - 2) < 1e-9);
  assert.equal(found.updates, 0);
});

test('merged histograms tell quantiles within two percent', () => {
  const [left, right, both] = [new Histogram(), new Histogram(), new Histogram()];
  for (let i = 1; i <= 1_000; i++) (i % 2 === 0 ? left : right).add(i);
  both.merge(left.take());
  both.merge(right.take());
  assert.equal(both.count, 1_000);
  assert.ok(Math.abs((both.quantile(0.5) ?? 0) / 500 - 1) < 0.021);
  assert.ok(Math.abs((both.quantile(0.99) ?? 0) / 990 - 1) < 0.021);
  assert.equal(left.quantile(0.5), undefined);
});

test('a slip on the command line is told before anything starts', () => {
  assert.throws(() => asked(['--nodes', '10,many']), /--nodes must be a whole number/);
  assert.throws(() => asked(['--store', 'postgres://x', '--nodes', '1,2']), /tries one fleet/);
  assert.throws(() => asked(['--nodes', '10', '--scale-page']), /at least two fleets/);
  assert.deepEqual(asked(['--quick']).nodes, [1_000]);
});
