/** A rollout as a row, and as a bar that fills. */
import type {
  OutcomeState,
  Rollout,
  RolloutCounts,
  RolloutOutcome,
  RolloutPhase,
} from '@limpet/dmi/manifest';
import { type Cell, cell, type Table, type Tone, toned } from './table.ts';
import { since, valueText } from './words.ts';

const PHASES: Readonly<Record<RolloutPhase | 'unknown', Tone>> = {
  Planned: 'dim',
  Canary: 'warn',
  Running: 'warn',
  Paused: 'warn',
  Stopped: 'bad',
  Done: 'good',
  Reverting: 'warn',
  Reverted: 'good',
  Failed: 'bad',
  unknown: 'dim',
};

/** Devices that did not do it. */
export function failures({ rejected, expired }: RolloutCounts): number {
  return rejected + expired;
}

export function rolloutCells({ metadata, status }: Rollout, now: number): Cell[] {
  const phase = status?.phase ?? 'unknown';
  const counts = status?.counts;
  const failed = counts === undefined ? 0 : failures(counts);
  return [
    cell(phase, PHASES[phase]),
    cell(counts === undefined ? '-' : `${counts.applied}/${counts.total}`),
    cell(String(failed), failed > 0 ? 'bad' : 'plain'),
    cell(batchText(status?.batch)),
    cell(since(metadata.creationTimestamp, now)),
  ];
}

export function rolloutWide({ spec, status }: Rollout): Cell[] {
  return [cell(queryText(spec)), cell(status?.reason?.message ?? '-')];
}

/** The query, or its parts as one. */
export function queryText({ query, set = {}, where = '' }: Rollout['spec']): string {
  if (query !== undefined) return query.replaceAll(/\s+/g, ' ').trim();
  const assigned = Object.entries(set).map(([name, value]) => {
    return `desired.${name} = ${JSON.stringify(value)}`;
  });
  return `UPDATE devices SET ${assigned.join(', ')} WHERE ${where}`;
}

function batchText(batch: number | undefined): string {
  if (batch === undefined) return '-';
  return batch === 0 ? 'canary' : String(batch);
}

/** Applied, undone, failed and skipped devices of all, as a bar of this terminal's width. */
export function barLine({ status }: Rollout, colour: boolean, columns: number): string {
  const counts = status?.counts;
  if (counts === undefined || counts.total === 0) return '';
  const { total, applied, reverted, skipped, sent } = counts;
  const tail = ` ${Math.floor(((total - counts.pending - sent) / total) * 100)}%`;
  const width = Math.max(10, Math.min(60, columns - tail.length - 2));
  const parts: readonly (readonly [number, string, Tone])[] = [
    [applied + reverted, '█', 'good'],
    [failures(counts), '█', 'bad'],
    [skipped, '▒', 'dim'],
    [sent, '▓', 'warn'],
  ];
  let bar = '';
  let done = 0;
  let drawn = 0;
  for (const [count, block, tone] of parts) {
    done += count;
    const end = Math.round((done / total) * width);
    bar += toned(block.repeat(end - drawn), tone, colour);
    drawn = end;
  }
  return `[${bar}${'·'.repeat(width - drawn)}]${tail}`;
}

/** Its phase and counts in words. */
export function stateLine({ status }: Rollout, colour: boolean): string {
  if (status === undefined) return 'not begun';
  const { phase, counts, reason } = status;
  const { total, ...states } = counts;
  const some = Object.entries(states).filter(([, count]) => count > 0);
  const words = some.map(([state, count]) => `${count} ${state}`).join(', ');
  const where = phase === 'Running' ? ` (batch ${status.batch})` : '';
  const why = reason === undefined ? '' : `: ${reason.message}`;
  const devices = total === 1 ? '1 device' : `${total} devices`;
  return `${toned(phase, PHASES[phase], colour)}${where}, ${devices}${words && `: ${words}`}${why}`;
}

const OUTCOMES: Readonly<Record<OutcomeState, Tone>> = {
  pending: 'dim',
  sent: 'warn',
  applied: 'good',
  rejected: 'bad',
  expired: 'bad',
  skipped: 'warn',
  reverted: 'good',
};

export function outcomeTable(outcomes: readonly RolloutOutcome[]): Table {
  return {
    head: ['DEVICE', 'STATE', 'BATCH', 'BEFORE', 'CODE', 'MESSAGE'],
    rows: outcomes.map(({ device, state, batch, before, code, message }) => [
      cell(device),
      cell(state, OUTCOMES[state]),
      cell(batchText(batch)),
      cell(Object.values(before).map(valueText).join(', ') || '-'),
      cell(code ?? '-'),
      cell(message ?? '-'),
    ]),
  };
}
