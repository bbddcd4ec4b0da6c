/** A rollout as a row, and as a bar that fills. */
import type { Rollout, RolloutCounts, RolloutPhase } from '@limpet/dmi/manifest';
import { type Cell, cell, type Tone } from './table.ts';
import { since } from './words.ts';

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
function failures({ rejected, expired }: RolloutCounts): number {
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
function queryText({ query, set = {}, where = '' }: Rollout['spec']): string {
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
