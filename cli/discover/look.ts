/** Lets a mapper look, for as long as it may, whatever it does with being told to stop. */
import { type Mapper, type MapperContext, type Search, unlessAborted } from '@limpet/dmi';
import process from 'node:process';
import type { EdgeConfig } from '../../runtime/config.ts';
import type { Output } from '../output.ts';
import { stopSignal } from '../stop.ts';
import { looking } from './looking.ts';
import { folderOf } from './options.ts';
import { Progress } from './progress.ts';

/** A mapper that was told to stop may tidy up for so long. */
export const TIDY_MS = 1_000;

export interface Look {
  readonly mapper: Mapper<unknown, unknown>;
  readonly search: Search;
  /** How many were found. */
  readonly count: () => number;
  readonly timeoutMs: number;
  readonly output: Output;
  /** Told each thing that is found; false when that is enough. */
  readonly take: (found: unknown) => Promise<boolean>;
  readonly config: EdgeConfig | undefined;
}

/** Until everything was looked at, the time is up or somebody stops it. What went wrong, if anything did. */
export async function look(looks: Look): Promise<unknown> {
  const { mapper, count, timeoutMs, output, config, take } = looks;
  const since = performance.now();
  let doing = 'looking';
  const progress = new Progress(process.stderr, () => {
    const seconds = Math.round((performance.now() - since) / 1_000);
    return `${seconds} s, ${count()} found: ${doing}`.slice(0, 100);
  });
  const sight = looking(mapper.protocol, folderOf(config, mapper.protocol), (level, text) => {
    if (level === 'info') doing = text;
    else {
      progress.clear();
      output.note(`limpet: ${text}`);
    }
  });
  const stop = stopSignal();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  try {
    for await (const found of foundBy(looks, sight.context, stop.signal)) {
      progress.clear();
      if (!(await take(found))) break;
    }
  } catch (error) {
    if (!stop.signal.aborted) return error;
  } finally {
    clearTimeout(timer);
    progress.stop();
    sight.close();
  }
  if (stop.signal.aborted && !output.json)
    output.note(`limpet: stopped (${doing}); what was found until then counts.`);
  return undefined;
}

/** What the mapper tells, for as long as the signal allows, whatever the mapper does with that. */
async function* foundBy(
  { mapper, search }: Look,
  context: MapperContext,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  const told = mapper.discover?.(search, context, signal)[Symbol.asyncIterator]();
  // One that gathers first and tells at the end, as from a broker, has a moment to tell what it has.
  const late = new AbortController();
  const giveUp = (): void => void context.clock.after(TIDY_MS, () => late.abort(signal.reason));
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    for (;;) {
      const next = await unlessAborted(Promise.resolve(told?.next()), late.signal);
      if (next === undefined || next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', giveUp);
    const tidied = Promise.resolve(told?.return?.()).catch(() => undefined);
    const patience = new AbortController();
    const late = context.clock.sleep(TIDY_MS, patience.signal).catch(() => undefined);
    await Promise.race([tidied, late]);
    patience.abort();
  }
}
