/** `limpet samples`. */
import process from 'node:process';
import { duration } from '@limpet/dmi/manifest';
import { Buckets } from '../../cloud/protocol/api/buckets.ts';
import type { Api } from '../api.ts';
import { usage } from '../cli-error.ts';
import { withApi } from '../client.ts';
import { type Output, processOutput } from '../output.ts';
import type { Gap, Sample } from '../history/past.ts';
import { pages } from '../history/run.ts';
import { plotColumns, plotLines } from '../render/plot.ts';
import { ageText, valueText } from '../render/words.ts';
import { type Place, parsePlace } from '../set/value.ts';
import type { SamplesOptions } from '../verbs/samples.ts';

/** Of the values and of the gaps, the newest are listed; all are plotted. */
const LISTED = 10;

export async function runSamples(word: string, options: SamplesOptions): Promise<number> {
  const place = parsePlace(word, options.namespace);
  const sinceMs = duration(options.since);
  if (sinceMs === undefined || sinceMs === 0) {
    throw usage(`--since must be a duration like 10m, 1h or 7d, not "${options.since}".`);
  }
  const output = processOutput(options.json === true);
  return withApi(options, async (api) => {
    if (output.json) await tellAll(api, place, { since: options.since, output });
    else await show(api, place, { since: options.since, sinceMs, output });
    return 0;
  });
}

/** Samples as they come, after the gaps of the same time: nothing is collected. */
async function tellAll(
  api: Api,
  place: Place,
  { since, output }: { readonly since: string; readonly output: Output },
): Promise<void> {
  for await (const { samples, gaps } of pages(api, place, { since })) {
    for (const gap of gaps) output.printJson({ gap });
    for (const sample of samples) output.printJson(sample);
  }
}

async function show(
  api: Api,
  place: Place,
  { since, sinceMs, output }: { since: string; sinceMs: number; output: Output },
): Promise<void> {
  const now = Date.now();
  const columns = plotColumns(process.stdout.columns);
  const [from, bucketMs] = [now - sinceMs, Math.ceil(sinceMs / columns)];
  const gaps: Gap[] = [];
  let buckets: Buckets | undefined;
  let latest: Sample[] = [];
  let count = 0;
  for await (const page of pages(api, place, { since })) {
    gaps.push(...page.gaps);
    // All gaps come with the first page.
    buckets ??= new Buckets({ from, bucketMs, before: undefined, gaps: timed(gaps) });
    for (const sample of page.samples) buckets.add({ ...sample, at: Date.parse(sample.at) });
    count += page.samples.length;
    latest = [...latest, ...page.samples].slice(-LISTED);
  }
  const plotted = {
    from,
    to: now,
    bucketMs,
    buckets: buckets?.end(now) ?? [],
    gaps: timed(gaps).map((gap) => ({ ...gap, to: gap.to ?? now })),
  };
  const name = `${place.namespace}/${place.name}.${place.property}`;
  output.print(`${name}: ${plural(count, 'sample')}, ${plural(gaps.length, 'gap')} in ${since}`);
  for (const line of plotLines(plotted, columns)) output.print(line);
  for (const line of listed(latest, gaps, now)) output.print(line);
}

function timed(gaps: readonly Gap[]) {
  return gaps.map(({ cause, from, to }) => {
    return { cause, from: Date.parse(from), to: to === undefined ? undefined : Date.parse(to) };
  });
}

/** The newest of both, in the order of time. */
function listed(samples: readonly Sample[], gaps: readonly Gap[], now: number): string[] {
  const rows = [
    ...samples.map(({ at, value, quality }) => {
      const text = `${valueText(value)}${quality === 'good' ? '' : `  (${quality})`}`;
      return { at, text };
    }),
    ...gaps.slice(-LISTED).map(({ cause, from, to }) => {
      const end = to === undefined ? now : Date.parse(to);
      const long = ageText(end - Date.parse(from));
      return {
        at: from,
        text: `gap (${cause}) ${to === undefined ? `since ${long}` : `of ${long}`}`,
      };
    }),
  ];
  return rows.toSorted((a, b) => (a.at < b.at ? -1 : 1)).map(({ at, text }) => `${at}   ${text}`);
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
