/** `limpet watch`. */
import { followRows } from '../../cloud/protocol/api/follow-rows.ts';
import { HeldRows } from '../../cloud/protocol/api/held-rows.ts';
import { explain } from '../cli-error.ts';
import { withApi } from '../client.ts';
import { type Output, processOutput } from '../output.ts';
import { marked, queryText } from '../query/text.ts';
import { stopSignal } from '../stop.ts';
import type { WatchOptions } from '../verbs/watch.ts';
import { type View, viewOf } from './show.ts';

export async function runWatch(query: string | undefined, options: WatchOptions): Promise<number> {
  const text = await queryText(query, options.file);
  const output = processOutput(options.json === true);
  const { signal } = stopSignal();
  return withApi(options, async (api) => {
    const held = new HeldRows();
    const view = viewOf(output, held);
    try {
      const steps = followRows(api, text, { signal, sleep: pause, held });
      await show(steps, view, output);
      return 0;
    } catch (error) {
      throw marked(error, text);
    } finally {
      view.end();
    }
  });
}

async function show(
  steps: ReturnType<typeof followRows>,
  view: View,
  output: Output,
): Promise<void> {
  let lost = false;
  for await (const step of steps) {
    if (step.kind === 'lost') {
      const { message } = explain(step.error);
      if (!lost) output.note(`Connection lost (${message}); trying again.`);
      lost = true;
      continue;
    }
    if (lost) output.note('Connected again.');
    lost = false;
    view.show(step.changes, step.level);
  }
}

/** Resolves after `ms`, or as soon as the signal aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
