/** `limpet query`. */
import type { QueryPlan, QueryResult } from '../../cloud/protocol/api/query.ts';
import type { Api } from '../api.ts';
import { usage } from '../cli-error.ts';
import { withApi } from '../client.ts';
import { type Output, processOutput } from '../output.ts';
import { layOut, widthsOf } from '../render/table.ts';
import type { QueryOptions } from '../verbs/query.ts';
import { cellsOf, headOf, recordOf } from './table.ts';
import { marked, queryText } from './text.ts';

export async function runQuery(query: string | undefined, options: QueryOptions): Promise<number> {
  const written = await queryText(query, options.file);
  const text =
    options.explain === true && !/^explain\b/i.test(written) ? `EXPLAIN ${written}` : written;
  const limit = wholeOf('--limit', options.limit);
  const after = options.after === undefined ? undefined : wholeOf('--after', options.after);
  const output = processOutput(options.json === true);
  return withApi(options, async (api) => {
    try {
      await ask(api, { text, limit, after }, output);
      return 0;
    } catch (error) {
      throw marked(error, text);
    }
  });
}

interface Asked {
  readonly text: string;
  readonly limit: number;
  readonly after: number | undefined;
}

/** Page by page, each below the last. */
async function ask(api: Api, { text, limit, after }: Asked, output: Output): Promise<void> {
  let token: string | undefined;
  let left = limit;
  let widths: readonly number[] | undefined;
  for (;;) {
    const answer = await api.query({
      query: text,
      ...(after !== undefined && { after }),
      ...(token !== undefined && { continue: token }),
    });
    if (answer.kind === 'QueryPlan') return showPlan(answer, output);
    if (answer.kind === 'Rollout') {
      const { showBegun } = await import('../rollout/begun.ts');
      return showBegun(answer, output);
    }
    const rows = answer.rows.slice(0, left);
    widths = showRows({ ...answer, rows }, output, widths);
    left -= rows.length;
    token = answer.metadata.continue;
    if (left > 0 && token !== undefined) continue;
    if (token === undefined && answer.rows.length === rows.length) return;
    output.note(`There is more: these are the first ${limit} rows; give a higher --limit.`);
    return;
  }
}

/** Returns how wide the columns are, for the next page. */
function showRows(
  { columns, rows }: QueryResult,
  output: Output,
  widths: readonly number[] | undefined,
): readonly number[] {
  const table = { head: headOf(columns), rows: rows.map((row) => cellsOf(columns, row)) };
  const wide = widths ?? widthsOf(table);
  if (output.json) for (const row of rows) output.printJson(recordOf(columns, row));
  else {
    const { colour } = output;
    const options = { colour, widths: wide, headless: widths !== undefined };
    for (const line of layOut(table, options)) output.print(line);
  }
  return wide;
}

function showPlan(plan: QueryPlan, output: Output): void {
  if (output.json) {
    output.printJson(plan);
    return;
  }
  const { steps, estimate, plan: own = [] } = plan;
  for (const step of steps) output.print(step);
  const { rows, cost, ceiling } = estimate;
  output.print(`about ${rows} rows, cost ${cost} of at most ${ceiling}`);
  if (own.length > 0) output.print("The database's own plan:");
  for (const line of own) output.print(`  ${line}`);
}

function wholeOf(option: string, text: string): number {
  if (/^\d{1,16}$/.test(text) && Number(text) > 0) return Number(text);
  throw usage(`${option} must be a whole number above zero, not "${text}".`);
}
