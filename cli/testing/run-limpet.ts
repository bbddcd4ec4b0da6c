/** Runs the command as users do, as a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';

const LIMPET = path.join(path.dirname(import.meta.dirname), 'limpet.mjs');

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  /** Another Node than the one of this test. */
  readonly node?: string;
  readonly environment?: NodeJS.ProcessEnv;
}

export async function runLimpet(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = spawn(options.node ?? process.execPath, [LIMPET, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...kept('PATH', 'HOME', 'NODE_COMPILE_CACHE'), ...options.environment },
  });
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code, out, err };
}

function kept(...names: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

/** A folder that is gone after the test. */
export function temporaryFolder(t: Pick<TestContext, 'after'>): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'limpet-cli-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
