/** What a node measures of itself, in Prometheus' text format 0.0.4. Pure. */
import type { BudgetRow, NodeFacts } from '@limpet/dmi/manifest';
import { WRITES } from './wear.ts';

type Labels = Readonly<Record<string, string>>;

/** One metric: a name, what it is, and its values by labels. */
interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly samples: readonly { readonly labels?: Labels; readonly value: number }[];
}

/** Figures that only the running parts know. */
export interface Counted {
  readonly devices: Readonly<Record<string, number>>;
  readonly readings: number;
  readonly missedCycles: number;
  /** Readings that devices told by themselves and that later ones replaced before they were reported. */
  readonly superseded: number;
  readonly lagMs: number;
  readonly store: Readonly<Record<string, number>>;
  readonly bus: Readonly<Record<string, number>>;
  readonly api: Readonly<Record<string, number>>;
}

export function metricsText(facts: NodeFacts, counted: Counted): string {
  return [
    ...nodeFamilies(facts),
    ...budgetFamilies(facts),
    ...diskFamilies(facts),
    ...mapperFamilies(facts),
    ...counters(counted),
  ]
    .filter(({ samples }) => samples.length > 0)
    .map(familyText)
    .join('');
}

function nodeFamilies({ versions, architecture, uptime, memory }: NodeFacts): Family[] {
  const labels = { version: versions.limpet, node: versions.node, architecture };
  return [
    gauge('build_info', 'Versions of the edge; always 1.', [{ labels, value: 1 }]),
    gauge('uptime_seconds', 'Since the machine started.', [{ value: uptime }]),
    gauge('machine_memory_bytes', 'Memory of the machine.', [
      { labels: { what: 'total' }, value: memory.total },
      { labels: { what: 'available' }, value: memory.available },
    ]),
  ];
}

function budgetFamilies({ budget }: NodeFacts): Family[] {
  if (budget === undefined) return [];
  const memory = budget.rows.filter(({ kind }) => kind === 'memory');
  return [
    gauge('memory_ceiling_bytes', 'Private memory of everything together.', [
      { value: budget.ceiling },
    ]),
    gauge(
      'memory_budget_bytes',
      'Private memory that each may take.',
      by(memory, (row) => row.budget),
    ),
    gauge(
      'memory_private_bytes',
      'Private memory (RssAnon), sampled each second.',
      by(memory, ({ now }) => now),
    ),
    gauge(
      'memory_private_peak_bytes',
      'The most private memory since the start.',
      by(memory, ({ peak }) => peak),
    ),
    gauge(
      'memory_pss_bytes',
      'Private memory and the part of what is shared.',
      by(memory, ({ pss }) => pss),
    ),
    gauge(
      'memory_rss_bytes',
      'Resident memory, pages of files included.',
      by(memory, ({ rss }) => rss),
    ),
    gauge(
      'memory_charged_bytes',
      'What the kernel charges the cgroup with.',
      by(memory, (row) => row.charged),
    ),
    counter(
      'over_budget_total',
      'How often each went beyond its budget.',
      by(budget.rows, ({ over }) => over),
    ),
    counter(
      'shed_total',
      'How often each was given up for want of memory.',
      budget.shed.map(({ step, times }) => ({ labels: { step }, value: times })),
    ),
  ];
}

function diskFamilies({ budget }: NodeFacts): Family[] {
  const rows = (budget?.rows ?? []).filter(({ kind }) => kind === 'disk');
  const disk = rows.filter(({ what }) => what !== WRITES);
  const written = rows.filter(({ what }) => what === WRITES);
  return [
    gauge(
      'disk_written_today_bytes',
      'Handed to the disk since midnight UTC.',
      written.map(({ now }) => ({ value: now })),
    ),
    gauge(
      'disk_write_budget_bytes',
      'What may be handed to the disk in a day.',
      written.flatMap((row) => (row.budget === undefined ? [] : [{ value: row.budget }])),
    ),
    gauge(
      'disk_budget_bytes',
      'What each may take of the disk.',
      by(disk, (row) => row.budget),
    ),
    gauge(
      'disk_bytes',
      'What each takes of the disk.',
      by(disk, ({ now }) => now),
    ),
  ];
}

function by(rows: readonly BudgetRow[], figure: (row: BudgetRow) => number | undefined) {
  return rows.flatMap((row) => {
    const value = figure(row);
    const part = row.partOf === undefined ? {} : { part_of: row.partOf };
    return value === undefined ? [] : [{ labels: { what: row.what, ...part }, value }];
  });
}

function mapperFamilies({ mappers }: NodeFacts): Family[] {
  const each = (figure: (mapper: NodeFacts['mappers'][number]) => number | undefined) =>
    mappers.flatMap((mapper) => {
      const value = figure(mapper);
      return value === undefined ? [] : [{ labels: { protocol: mapper.protocol }, value }];
    });
  const states = mappers.flatMap(({ protocol, state }) =>
    state === undefined ? [] : [{ labels: { protocol, state }, value: 1 }],
  );
  return [
    gauge('mapper_state', 'The state that each mapper is in; 1.', states),
    counter(
      'mapper_restarts_total',
      'Starts that were not wished for.',
      each(({ restarts }) => restarts),
    ),
    counter(
      'mapper_superseded_total',
      'Readings replaced before they were taken.',
      each((m) => m.superseded),
    ),
  ];
}

function counters({
  devices,
  readings,
  missedCycles,
  superseded,
  lagMs,
  store,
  bus,
  api,
}: Counted): Family[] {
  const named = (figures: Readonly<Record<string, number>>, label: string) =>
    Object.entries(figures).map(([name, value]) => ({ labels: { [label]: name }, value }));
  return [
    gauge('devices', 'Devices of this node by state.', named(devices, 'state')),
    counter('readings_total', 'Readings that devices gave, good and bad, changed or not.', [
      { value: readings },
    ]),
    counter('missed_cycles_total', 'Polling cycles due and not kept.', [{ value: missedCycles }]),
    counter(
      'told_superseded_total',
      'Readings told by devices, replaced before they were reported.',
      [{ value: superseded }],
    ),
    gauge('event_loop_late_seconds', 'How late the event loop was at the last look.', [
      { value: lagMs / 1_000 },
    ]),
    gauge('store', 'Figures of the twin store.', named(store, 'what')),
    gauge(
      'bus',
      'Figures of the local MQTT broker; those in capitals count refusals.',
      named(bus, 'what'),
    ),
    gauge('api', "Figures of the node's own API.", named(api, 'what')),
  ];
}

function gauge(name: string, help: string, samples: Family['samples']): Family {
  return { name: `limpet_${name}`, type: 'gauge', help, samples };
}

function counter(name: string, help: string, samples: Family['samples']): Family {
  return { name: `limpet_${name}`, type: 'counter', help, samples };
}

function familyText({ name, type, help, samples }: Family): string {
  const lines = samples.map(({ labels = {}, value }) => `${name}${labelText(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** The format's own three: backslash, quote, line feed. */
function escape(value: string): string {
  return value
    .replaceAll('\\', '\\\\')
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`);
}
