/** History of one property, as the API asks for it. */
import type { Id } from '@limpet/dmi/manifest';
import type { PastSource } from '#protocol/api';
import type { History, HistoryDoor } from '../twin/history.ts';

/** Rows of different devices may be out of order by this. */
const SLACK_MS = 60_000;

/** Undefined when none was ever kept here. */
export function pastSource(
  history: Pick<HistoryDoor, 'history' | 'before'> | undefined,
  device: Id,
  property: string,
): PastSource | undefined {
  const read = (since: number, limit: number, after?: number): History | undefined => {
    return history?.history(device, property, { since, limit, after });
  };
  if (history === undefined || read(0, 0) === undefined) return undefined;
  return {
    page: ({ from, to }, { after, limit }) => {
      const past = read(from, limit, after === undefined ? undefined : Number(after));
      const { samples = [], next } = past ?? {};
      const over = (samples.at(-1)?.at ?? to) > to + SLACK_MS;
      return {
        samples: samples.filter(({ at }) => at <= to),
        ...(next !== undefined && !over && { next: String(next) }),
      };
    },
    before: (time) => history.before(device, property, time),
    gaps: ({ from, to }) => (read(from, 0)?.gaps ?? []).filter((gap) => gap.from <= to),
  };
}
