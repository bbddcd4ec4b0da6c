/** `limpet samples`. */
import process from 'node:process';
import { duration } from '@limpet/dmi/manifest';
import type { SampleList } from '../../cloud/protocol/api/backend.ts';
import type { Api } from '../api.ts';
import { usage } from '../cli-error.ts';
import { withApi } from '../client.ts';
import { type Output, processOutput } from '../output.ts';
import { Plot } from '../render/plot.ts';
import { ageText, valueText } from '../render/words.ts';
import { parsePlace } from '../set/value.ts';
import type { SamplesOptions } from '../verbs/samples.ts';

type Sample = SampleList['samples'][number];
type Gap = SampleList['gaps'][number];

/** Of the values and of the gaps, the newest are listed; all are plotted. */
const LISTED = 10;
const NARROWEST = 30;

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

type Place = ReturnType<typeof parsePlace>;

async function* pages(api: Api, place: Place, since: string): AsyncGenerator<SampleList> {
  const { namespace, name, property } = place;
  const target = { kind: 'Device', namespace, name } as const;
  for (let next: string | undefined; ;) {
    const page = await api.samples(target, property, { since, ...(next && { continue: next }) });
    yield page;
    if (page.next === undefined) return;
    next = page.next;
  }
}

/** Samples as they come, after the gaps of the same time: nothing is collected. */
async function tellAll(
  api: Api,
  place: Place,
  { since, output }: { readonly since: string; readonly output: Output },
): Promise<void> {
  for await (const { samples, gaps } of pages(api, place, since)) {
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
  const columns = Math.max(NARROWEST, Math.min(process.stdout.columns ?? 80, 120) - 16);
  const plot = new Plot({ from: now - sinceMs, to: now, columns });
  const gaps: Gap[] = [];
  let latest: Sample[] = [];
  let count = 0;
  for await (const page of pages(api, place, since)) {
    gaps.push(...page.gaps);
    for (const { at, value } of page.samples) {
      if (typeof value === 'number' || typeof value === 'boolean') {
        plot.add(Date.parse(at), Number(value));
      }
    }
    count += page.samples.length;
    latest = [...latest, ...page.samples].slice(-LISTED);
  }
  for (const { from, to } of gaps)
    plot.gap(Date.parse(from), to === undefined ? now : Date.parse(to));
  const name = `${place.namespace}/${place.name}.${place.property}`;
  output.print(`${name}: ${plural(count, 'sample')}, ${plural(gaps.length, 'gap')} in ${since}`);
  for (const line of plot.lines()) output.print(line);
  for (const line of listed(latest, gaps, now)) output.print(line);
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
