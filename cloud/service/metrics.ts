/** What the cloud measures of itself, in Prometheus' text format 0.0.4. Pure. */
import type { FrontCounts } from '#protocol/api';
import type { QueryCounts } from './query/queries.ts';
import type { StandingCounts } from './standing/standings.ts';
import { BOUNDS_MS, type Durations } from './store/durations.ts';

export interface CloudFigures {
  readonly version: string;
  readonly hub: {
    readonly connections: number;
    readonly nodes: number;
    readonly turnedAway: number;
    /** Bytes of edges that wait to be taken in, and how often too much came. */
    readonly intake: { readonly bytes: number; readonly pauses: number };
    /** Pages and rows of edges that are on the disk, and so acknowledged; pages that wait. */
    readonly reports: { readonly pages: number; readonly rows: number; readonly waiting: number };
    /** Edges sent away, by the code they were told. */
    readonly sentAway: ReadonlyMap<string, number>;
  };
  readonly store: {
    readonly waiting: number;
    readonly commits: ReturnType<Durations['look']>;
    readonly failures: number;
    /** The code of the last failure, while it lasts. */
    readonly failing: string | undefined;
  };
  readonly api: FrontCounts;
  readonly queries: QueryCounts;
  readonly standing: StandingCounts;
}

export function cloudMetrics(figures: CloudFigures): string {
  const { version, hub, store, api, queries, standing } = figures;
  const { reports } = hub;
  return [
    one('build_info', 'gauge', 'Version of the cloud; always 1.', [`{version="${version}"}`, 1]),
    one('connections', 'gauge', 'Open connections of edges.', ['', hub.connections]),
    one('nodes', 'gauge', 'Nodes that are connected and welcomed.', ['', hub.nodes]),
    one('turned_away_total', 'counter', 'Connections for which was no room.', ['', hub.turnedAway]),
    one('intake_bytes', 'gauge', 'Bytes of edges that wait to be taken in.', [
      '',
      hub.intake.bytes,
    ]),
    one('intake_pauses_total', 'counter', 'Times that edges were not read.', [
      '',
      hub.intake.pauses,
    ]),
    one(
      'sent_away_total',
      'counter',
      'Conversations that the cloud ended, by code.',
      ...[...hub.sentAway].map(([code, times]): Sample => [`{code="${code}"}`, times]),
    ),
    one('updates_total', 'counter', 'Rows of edges written to the store.', ['', reports.rows]),
    one('acks_total', 'counter', 'Pages of edges acknowledged.', ['', reports.pages]),
    one(
      'waiting',
      'gauge',
      'Pages of edges, and works of all kinds, that wait for the store.',
      ['{what="pages"}', reports.waiting],
      ['{what="works"}', store.waiting],
    ),
    histogram(store.commits),
    one('commit_failures_total', 'counter', 'Transactions that the store refused.', [
      '',
      store.failures,
    ]),
    one('store_failing', 'gauge', 'Whether the last transaction was refused, and why.', [
      `{code="${store.failing ?? ''}"}`,
      store.failing === undefined ? 0 : 1,
    ]),
    one('api_requests', 'gauge', 'Requests being served.', ['', api.requests]),
    one('watches', 'gauge', 'Open watches.', ['', api.watches]),
    one('api_refused_total', 'counter', 'Requests refused for want of room.', ['', api.refused]),
    one('api_cut_total', 'counter', 'Readers cut off because they read nothing.', ['', api.cut]),
    one('unread_bytes', 'gauge', 'Bytes that wait for readers.', ['', api.unreadBytes]),
    one('memory_rss_bytes', 'gauge', 'Resident memory.', ['', process.memoryUsage.rss()]),
    ...queryMetrics(queries),
    ...standingMetrics(standing),
  ].join('');
}

function queryMetrics({ running, waiting, ended, slow }: QueryCounts): readonly string[] {
  return [
    one(
      'queries',
      'gauge',
      'Queries that run, and those that wait for their turn.',
      ['{state="running"}', running],
      ['{state="waiting"}', waiting],
    ),
    one(
      'queries_total',
      'counter',
      'Queries, by what became of them.',
      ...Object.entries(ended).map(([end, times]): Sample => [`{end="${end}"}`, times]),
    ),
    one('slow_queries_total', 'counter', 'Queries that were recorded as slow.', ['', slow]),
  ];
}

function standingMetrics(counts: StandingCounts): readonly string[] {
  const { open, remembered, rows, events, resets, looks, scans, refused } = counts;
  return [
    one(
      'standing_queries',
      'gauge',
      'Standing queries with a reader, and those whose reader may come back.',
      ['{state="open"}', open],
      ['{state="remembered"}', remembered],
    ),
    one('standing_rows', 'gauge', 'Rows that readers of standing queries have.', ['', rows]),
    one('standing_events_total', 'counter', 'Events told to them.', ['', events]),
    one('standing_resets_total', 'counter', 'Times that one was told everything.', ['', resets]),
    one(
      'standing_looks_total',
      'counter',
      'Looks at what changed, and at all rows.',
      ['{at="changes"}', looks],
      ['{at="all"}', scans],
    ),
    one('standing_refused_total', 'counter', 'Readers refused for want of room.', ['', refused]),
  ];
}

type Sample = readonly [labels: string, value: number];

function one(name: string, type: string, help: string, ...samples: readonly Sample[]): string {
  const full = `limpet_cloud_${name}`;
  const lines = samples.map(([labels, value]) => `${full}${labels} ${value}\n`);
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.join('')}`;
}

function histogram({ upTo, count, sumMs }: CloudFigures['store']['commits']): string {
  const name = 'limpet_cloud_commit_seconds';
  const buckets = BOUNDS_MS.map(
    (ms, at) => `${name}_bucket{le="${ms / 1_000}"} ${upTo[at] ?? 0}\n`,
  );
  return [
    `# HELP ${name} How long transactions took, works and fsync.\n# TYPE ${name} histogram\n`,
    ...buckets,
    `${name}_bucket{le="+Inf"} ${count}\n${name}_sum ${sumMs / 1_000}\n${name}_count ${count}\n`,
  ].join('');
}
