/** The demo as users see it: three processes, live values, nothing left behind. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { runLimpet, temporaryFolder } from '../testing/run-limpet.ts';

const LIMPET = path.join(path.dirname(import.meta.dirname), 'limpet.mjs');

test('the demo shows live values of every device, and leaves nothing behind', async (t) => {
  const folder = temporaryFolder(t);
  const { code, out, err } = await runLimpet(['demo', '--seconds', '3', '--json'], {
    environment: { TMPDIR: folder },
  });
  assert.equal(code, 0, err + out);
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(lines[0].event, 'progress');
  const values = lines.filter(({ event, quality }) => event === 'value' && quality === 'good');
  const devices = new Set(values.map(({ device }) => device));
  assert.deepEqual(
    [...devices].toSorted((a, b) => (a < b ? -1 : 1)),
    ['boiler-1', 'flue-1', 'meter-1', 'weather-1'],
  );
  const summary = lines.at(-1);
  assert.equal(summary.event, 'summary');
  assert.equal(summary.online, 4);
  assert.deepEqual(readdirSync(folder), []);
  assert.deepEqual(await processesOf(folder), []);
});

test('a demo that is stopped ends with 0, and one that is killed takes its processes along', async (t) => {
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    const folder = temporaryFolder(t);
    const child = spawn(process.execPath, [LIMPET, 'demo', '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: folder },
    });
    const ended = once(child, 'exit');
    for await (const line of createInterface(child.stdout)) if (line.includes('"ready"')) break;
    assert.notDeepEqual(await processesOf(folder, 0), []);
    child.kill(signal);
    const [code, by] = (await ended) as [number | null, string | null];
    assert.equal(by ?? code, signal === 'SIGINT' ? 0 : signal);
    assert.deepEqual(await processesOf(folder), []);
  }
});

/** Processes that have this folder in their environment; polled until none is left, or for ten seconds. */
async function processesOf(folder: string, timeoutMs = 10_000): Promise<string[]> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const left = readdirSync('/proc').filter(
      (pid) => /^\d+$/.test(pid) && environmentOf(pid).includes(folder),
    );
    if (left.length === 0 || performance.now() >= deadline) return left;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return ''; // it ended meanwhile, or is another user's
  }
}
