import assert from 'node:assert/strict';
import { test } from 'node:test';
import { committed, kind, startMemory } from './start-memory.ts';

const SLACK_BYTES = 1_000_000;

test('the bundle takes at most 1 MB more private memory at its start than was committed', async (t) => {
  const known = (await committed())[kind];
  if (known === undefined)
    return t.skip(`no figure is committed for ${kind}: npm run memory:commit`);
  const bytes = await startMemory();
  const mb = (value: number): string => `${(value / 1e6).toFixed(2)} MB`;
  t.diagnostic(`${kind}: ${mb(bytes)}, committed ${mb(known)}`);
  assert.ok(
    bytes <= known + SLACK_BYTES,
    `${mb(bytes)} private at start, committed are ${mb(known)}: find what grew, or, when it is worth it, run npm run memory:commit`,
  );
});

// The test above would pass for ever if the figure it measures were nothing.
test('the committed figures are those of a Node that runs', async () => {
  const figures = Object.entries(await committed());
  assert.ok(figures.length > 0);
  for (const [what, bytes] of figures) assert.ok(bytes > 5e6 && bytes < 30e6, `${what}: ${bytes}`);
});
