/** `limpet history`. */
import process from 'node:process';
import { formatDuration } from '@limpet/dmi/manifest';
import type { SampleList } from '../../cloud/protocol/api/backend.ts';
import type { SamplesSelect } from '../../cloud/protocol/api/client.ts';
import type { Api, Target } from '../api.ts';
import { withApi } from '../client.ts';
import { type Output, processOutput } from '../output.ts';
import { plotColumns } from '../render/plot.ts';
import { type Place, parsePlace } from '../set/value.ts';
import type { HistoryOptions } from '../verbs/history.ts';
import {
  type Bucket,
  changesOf,
  type Gap,
  isNumber,
  type Past,
  type Sample,
  summaryOf,
} from './past.ts';
import { bucketTable, changeTable, gapTable, plotted, summaryLine } from './show.ts';
import { bucketOf, type Span, spanOf } from './span.ts';

export async function runHistory(word: string, options: HistoryOptions): Promise<number> {
  const place = parsePlace(word, options.namespace);
  const now = Date.now();
  const asked = spanOf(options, now);
  const columns = plotColumns(process.stdout.columns);
  const bucketMs = bucketOf(options.bucket, asked, columns);
  // As those who answer count buckets.
  const span = { from: Math.floor(asked.from / bucketMs) * bucketMs, to: asked.to };
  const output = processOutput(options.json === true);
  return withApi(options, async (api) => {
    const past = await pastOf(api, place, span, bucketMs);
    const samples =
      isNumber(past) || past.buckets.length === 0 ? [] : await samplesOf(api, place, span);
    if (output.json) tell(place, past, samples, output);
    else {
      const unit = await unitOf(api, place);
      show({ place, past, samples, unit }, { columns, now, table: options.table === true }, output);
    }
    return 0;
  });
}

/** All pages of an answer, one after another. */
export async function* pages(
  api: Api,
  { namespace, name, property }: Place,
  select: SamplesSelect,
): AsyncGenerator<SampleList> {
  const target: Target = { kind: 'Device', namespace, name };
  for (let next: string | undefined; ;) {
    const page = await api.samples(target, property, {
      ...select,
      ...(next && { continue: next }),
    });
    yield page;
    if (page.next === undefined) return;
    next = page.next;
  }
}

function selectOf({ from, to }: Span): SamplesSelect {
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}

async function pastOf(api: Api, place: Place, span: Span, bucketMs: number): Promise<Past> {
  const buckets: Bucket[] = [];
  // Each page tells the gaps that reach into it.
  const gaps = new Map<string, Gap>();
  const select = { ...selectOf(span), bucket: formatDuration(bucketMs) };
  for await (const page of pages(api, place, select)) {
    for (const bucket of page.buckets ?? []) buckets.push(bucket);
    for (const gap of page.gaps) gaps.set(`${gap.from} ${gap.cause}`, gap);
  }
  return { ...span, bucketMs, buckets, gaps: [...gaps.values()] };
}

async function samplesOf(api: Api, place: Place, span: Span): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for await (const page of pages(api, place, selectOf(span))) {
    for (const sample of page.samples) samples.push(sample);
  }
  return samples;
}

/** What the model says; without a model, nothing. */
async function unitOf(api: Api, { namespace, name, property }: Place): Promise<string | undefined> {
  try {
    const device = await api.get({ kind: 'Device', namespace, name });
    if (device.kind !== 'Device') return undefined;
    const model = await api.get({ kind: 'DeviceModel', namespace, name: device.spec.model });
    if (model.kind !== 'DeviceModel') return undefined;
    return model.spec.properties.find((each) => each.name === property)?.unit;
  } catch (error) {
    if ((error as { reason?: unknown }).reason === 'NotFound') return undefined;
    throw error;
  }
}

function tell(place: Place, past: Past, samples: readonly Sample[], output: Output): void {
  const { from, to, bucketMs, buckets, gaps } = past;
  output.printJson({
    device: `${place.namespace}/${place.name}`,
    property: place.property,
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    bucket: formatDuration(bucketMs),
    summary: summaryOf(past),
    buckets,
    gaps,
    ...(samples.length > 0 && { changes: changesOf(samples, past) }),
  });
}

interface Shown {
  readonly place: Place;
  readonly past: Past;
  readonly samples: readonly Sample[];
  readonly unit: string | undefined;
}

function show(
  { place, past, samples, unit }: Shown,
  {
    columns,
    now,
    table,
  }: { readonly columns: number; readonly now: number; readonly table: boolean },
  output: Output,
): void {
  const look = { columns, colour: output.colour };
  output.print(
    `${place.namespace}/${place.name}.${place.property}${unit === undefined ? '' : ` (${unit})`}`,
  );
  const middle = table
    ? bucketTable(past, look)
    : isNumber(past)
      ? plotted(past, look)
      : changeTable(changesOf(samples, past), look);
  for (const line of middle) output.print(line);
  if (past.buckets.length === 0)
    output.print('Nothing is known of this time: ask for another with --since or --from.');
  for (const line of gapTable(past.gaps, now, look)) output.print(line);
  output.print('');
  output.print(summaryLine(summaryOf(past), past.bucketMs, unit));
}
