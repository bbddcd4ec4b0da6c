/** The budget table as people read it. Pure. */
import type { BudgetRow, Node, NodeBudget } from '@limpet/dmi/manifest';
import { cell, type Cell, type Table, type Tone } from '../render/table.ts';
import { since, sizeText } from '../render/words.ts';

const HEAD = ['WHAT', 'BUDGET', 'NOW', 'PEAK', 'OVER', 'PRIVATE', 'PSS', 'RSS'] as const;

/** One line of whose table it is, and how much of the ceiling is given out. */
export function heading({ metadata, status }: Node, budget: NodeBudget, now: number): string[] {
  const given = whole(memory(budget)).reduce((sum, row) => sum + (row.budget ?? 0), 0);
  const line = `${metadata.name}: ${sizeText(given)} of ${sizeText(budget.ceiling)} memory given out`;
  if (status?.state === 'online') return [line];
  return [`${line} (offline, as of ${since(status?.lastSeen, now)} ago)`];
}

/** Figures are flush right, so that sizes can be compared. */
export function budgetTable(budget: NodeBudget): Table {
  const added = whole(memory(budget));
  const sum = total(added);
  // What is part of one of them stands below their sum.
  const others = budget.rows.filter((row) => !added.includes(row));
  const rows = [...added, ...(sum === undefined ? [] : [sum]), ...others].map(cells);
  return flushRight({ head: [...HEAD], rows });
}

/** What was given up, who enforces, and what looking costs. */
export function afterword(budget: NodeBudget, now: number): string[] {
  const { rows, shed, enforced, lookMicroseconds } = budget;
  const notes = rows.flatMap((row) => {
    // All on the disk is part of the data folder, and its rows stand above it.
    const part = row.kind === 'memory' && row.partOf !== undefined ? [`part of ${row.partOf}`] : [];
    const said = [...part, ...(row.note === undefined ? [] : [row.note])];
    return said.length === 0 ? [] : [`${row.what}: ${said.join('; ')}`];
  });
  const steps = shed.map(({ step, times, last }) => {
    return times === 0 ? `${step} never` : `${step} ${times}x, last ${since(last, now)} ago`;
  });
  const by =
    enforced.by === 'watchdog'
      ? `watchdog on private memory, no cgroups: ${enforced.note ?? 'not told why'}`
      : `memory ${enforced.by.replace('-', ' ')} per mapper, and a watchdog on private memory`;
  return [
    '',
    // Beside the figures they would make every line too long for a terminal.
    ...notes.map((note, index) => `${index === 0 ? 'Of these:    ' : '             '}${note}`),
    `Given up:    ${steps.join('; ')}`,
    `Enforced by: ${by}`,
    `Measured:    each second, ${lookMicroseconds} µs of CPU a look`,
  ];
}

function memory({ rows }: NodeBudget): readonly BudgetRow[] {
  return rows.filter(({ kind }) => kind === 'memory');
}

/** Without what is in the figures of another row. */
function whole(rows: readonly BudgetRow[]): readonly BudgetRow[] {
  return rows.filter(({ partOf }) => partOf === undefined);
}

/** Only private memory and PSS add up; what is shared would count several times in a sum of RSS. */
function total(rows: readonly BudgetRow[]): BudgetRow | undefined {
  if (rows.length < 2) return undefined;
  const add = (figure: (row: BudgetRow) => number | undefined): number =>
    rows.reduce((sum, row) => sum + (figure(row) ?? 0), 0);
  return {
    kind: 'memory',
    what: 'sum',
    budget: add(({ budget }) => budget),
    now: add(({ now }) => now),
    peak: Number.NaN,
    over: add(({ over }) => over),
    private: add((row) => row.private),
    pss: add(({ pss }) => pss),
  };
}

function cells(row: BudgetRow): Cell[] {
  const { what, budget, now, peak, over, pss, rss } = row;
  return [
    cell(what),
    cell(sizeText(budget)),
    cell(sizeText(now), tone(now, budget)),
    cell(Number.isNaN(peak) ? '-' : sizeText(peak)),
    cell(String(over), over > 0 ? 'bad' : 'plain'),
    cell(sizeText(row.private)),
    cell(sizeText(pss)),
    cell(sizeText(rss)),
  ];
}

function tone(now: number, budget: number | undefined): Tone {
  if (budget === undefined || now <= budget * 0.85) return 'plain';
  return now > budget ? 'bad' : 'warn';
}

function flushRight({ head, rows }: Table): Table {
  const wide = head.map((title, index) =>
    Math.max(title.length, ...rows.map((row) => row[index]?.text.length ?? 0)),
  );
  const pad = (text: string, index: number) =>
    index === 0 ? text : text.padStart(wide[index] ?? 0);
  return {
    head: head.map(pad),
    rows: rows.map((row) => row.map((each, index) => ({ ...each, text: pad(each.text, index) }))),
  };
}
