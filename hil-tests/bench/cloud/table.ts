/** The result as text: a column for each fleet, with the goals beside what they are held against. */
import type { Latency, Result, StepResult } from './result.ts';

interface Row {
  readonly what: string;
  readonly cell: (step: StepResult) => string;
  readonly goal?: string;
}

const ROWS: readonly Row[] = [
  { what: 'nodes connected', cell: ({ nodes }) => whole(nodes), goal: '10,000' },
  { what: 'properties mirrored', cell: ({ properties }) => whole(properties), goal: '1,000,000' },
  { what: 'all connected after, s', cell: ({ connect }) => seconds(connect.ms) },
  { what: 'first fill, s', cell: ({ fill }) => seconds(fill.ms) },
  { what: 'first fill, properties/s', cell: ({ fill }) => whole(fill.propertiesPerS) },
  { what: 'updates offered, /s', cell: ({ load }) => whole(load.offeredPerS) },
  {
    what: 'updates acknowledged, /s',
    cell: ({ load }) => whole(load.acknowledgedPerS),
    goal: '5,000',
  },
  { what: 'overtaken before they were told, /s', cell: ({ load }) => whole(load.supersededPerS) },
  {
    what: 'change to acknowledgement, ms: p50 / p99 / max',
    cell: ({ load }) => ms(load.acknowledgement),
  },
  {
    what: 'acknowledged to seen by GET, ms',
    cell: ({ load }) => ms(load.freshness.get),
    goal: 'p99 < 250',
  },
  {
    what: 'acknowledged to seen by a query, ms',
    cell: ({ load }) => ms(load.freshness.query),
    goal: 'p99 < 250',
  },
  { what: 'change to told by a watch, ms', cell: ({ load }) => ms(load.freshness.watch) },
  {
    what: 'GET one device, nothing changes, ms',
    cell: ({ atRest }) => ms(atRest.answers['get']),
    goal: 'p99 < 20',
  },
  {
    what: 'query of one device, nothing changes, ms',
    cell: ({ atRest }) => ms(atRest.answers['query']),
    goal: 'p99 < 20',
  },
  {
    what: 'GET of an empty server beside it, ms',
    cell: ({ atRest }) => ms(atRest.machine.empty),
  },
  {
    what: 'CPU that the host took away, % of a core',
    cell: ({ atRest }) => percent(atRest.machine.stolen),
  },
  { what: 'GET one device, ms', cell: ({ load }) => ms(load.answers['get']), goal: 'p99 < 20' },
  {
    what: 'query of one device, ms',
    cell: ({ load }) => ms(load.answers['query']),
    goal: 'p99 < 20',
  },
  {
    what: 'GET of an empty server beside it, ms',
    cell: ({ load }) => ms(load.machine.empty),
  },
  {
    what: 'CPU that the host took away, % of a core',
    cell: ({ load }) => percent(load.machine.stolen),
  },
  {
    what: '/healthz (waits for the event loop), ms',
    cell: ({ load }) => ms(load.answers['health']),
  },
  { what: 'and pages of many beside them: GET, ms', cell: ({ mixed }) => ms(mixed.answers['get']) },
  { what: '  query of one device, ms', cell: ({ mixed }) => ms(mixed.answers['query']) },
  { what: '  query: 20 highest of a model, ms', cell: ({ mixed }) => ms(mixed.answers['top']) },
  { what: '  list page of 100 devices, ms', cell: ({ mixed }) => ms(mixed.answers['list']) },
  { what: '  GET of an empty server, ms', cell: ({ mixed }) => ms(mixed.machine.empty) },
  ...['one property', 'all properties'].map((of) => ({
    what: `aggregate of ${of}, ms`,
    cell: ({ aggregates }: StepResult) => ms(aggregates[`aggregate of ${of}`]),
    goal: 'max < 500',
  })),
  {
    what: 'aggregate by model, ms',
    cell: ({ aggregates }) => ms(aggregates['aggregate by model']),
  },
  {
    what: 'watch of the whole fleet, events/s',
    cell: ({ fleetWatch }) => whole(fleetWatch.eventsPerS),
  },
  { what: '  behind by, ms', cell: ({ fleetWatch }) => ms(fleetWatch.lag) },
  { what: 'private memory: empty, MB', cell: ({ empty }) => mb(empty.privateBytes) },
  { what: '  all connected, MB', cell: ({ connect }) => mb(connect.weight.privateBytes) },
  { what: '  all mirrored, MB', cell: ({ fill }) => mb(fill.weight.privateBytes) },
  { what: '  under load, MB', cell: ({ load }) => mb(load.weight.privateBytes) },
  { what: 'RSS under load, MB', cell: ({ load }) => mb(load.weight.rssBytes) },
  { what: 'CPU of a core: all connected, %', cell: ({ connect }) => percent(connect.weight.cpu) },
  { what: '  under load, %', cell: ({ load }) => percent(load.weight.cpu) },
  { what: 'database, MB', cell: ({ fill }) => mb(fill.databaseBytes) },
  { what: 'written by the first fill, MB', cell: ({ fill }) => mb(fill.writtenBytes) },
  { what: 'written under load, MB/s', cell: ({ load }) => mb(load.writtenPerS) },
  { what: 'restart: answers after, s', cell: ({ restart }) => seconds(restart.startMs) },
  { what: '  all nodes back after, s', cell: ({ restart }) => seconds(restart.backMs) },
  { what: '  all updates flow after, s', cell: ({ restart }) => seconds(restart.flowingMs) },
];

export function table({ machine, store, commit, steps, fault }: Result): string {
  const lines = ROWS.map(({ what, cell, goal = '' }) => [what, ...steps.map(cell), goal]);
  const widths = lines[0]?.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  const text = lines.map((line) =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths?.[i] ?? 0) : cell.padStart(widths?.[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  const notes = [
    ...steps.flatMap(faultsOf),
    ...(fault === undefined ? [] : [`NOT MEASURED TO THE END: ${fault}`]),
  ];
  return [`${machine}; ${store}; ${commit}`, '', ...text, '', ...notes, ''].join('\n');
}

/** The same for a page. */
export function markdown({ steps }: Result): string {
  const head = ['', ...steps.map(({ nodes }) => `${whole(nodes)} nodes`), 'target'];
  const lines = ROWS.map(({ what, cell, goal = '' }) => [what.trim(), ...steps.map(cell), goal]);
  const rule = head.map((_, i) => (i === 0 ? '---' : '--:'));
  const faults = steps.flatMap(faultsOf).map((fault) => `- ${fault}`);
  const table = [head, rule, ...lines].map((line) => `| ${line.join(' | ')} |`);
  return [...table, ...(faults.length > 0 ? ['', ...faults] : [])].join('\n');
}

function faultsOf({ nodes, connect, atRest, load, mixed, restart }: StepResult): readonly string[] {
  const all = {
    connecting: connect.faults,
    'not answered while nothing changed': atRest.failed,
    'not answered under load': load.failed,
    'not answered with pages beside': mixed.failed,
    'after the restart': restart.faults,
  };
  const unseen = load.freshness.unseen;
  return [
    ...Object.entries(all)
      .filter(([, faults]) => Object.keys(faults).length > 0)
      .map(([when, faults]) => `${whole(nodes)} nodes, ${when}: ${JSON.stringify(faults)}`),
    ...(unseen > 0
      ? [`${whole(nodes)} nodes: ${unseen} values were not acknowledged and seen within 30 s`]
      : []),
  ];
}

function ms(latency: Latency | undefined): string {
  if (latency === undefined) return '-';
  return [latency.p50, latency.p99, latency.max].map(short).join(' / ');
}

function short(value: number): string {
  return value < 10 ? value.toFixed(1) : whole(value);
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function seconds(value: number): string {
  return (value / 1000).toFixed(1);
}

function percent(share: number): string {
  return (100 * share).toFixed(0);
}

function mb(bytes: number | undefined): string {
  return bytes === undefined ? '-' : (bytes / 1e6).toFixed(1);
}
