/** Why a row of this edge is not in the cloud, as far as the link knows (pure). Times in ms since 1970. */
import type { Finding } from '@limpet/dmi/manifest';
import type { LinkLook } from './link.ts';

export interface SendingFacts {
  readonly nowMs: number;
  readonly link: LinkLook;
  /** Where the row waits; absent when the cloud has it. */
  readonly place?: { readonly before: number; readonly rows: number } | undefined;
  /** Since when the page on its way is. */
  readonly flyingMs?: number | undefined;
}

/** A page that is under way for less is as it should be. */
const PATIENCE_MS = 2_000;

/** What stops the row, the cause first. */
export function explainSending(facts: SendingFacts): Finding<number>[] {
  const { link, place, nowMs, flyingMs } = facts;
  if (link.state === 'none') return [];
  if (link.state !== 'connected') return [linkFinding(link), ...(place ? [queued(place)] : [])];
  const slow = flyingMs !== undefined && nowMs - flyingMs > PATIENCE_MS;
  if (place === undefined || !slow) return [];
  const seconds = Math.round((nowMs - flyingMs) / 1_000);
  return [
    {
      ...queued(place),
      message: `the cloud is connected, but has not acknowledged what was sent ${seconds} s ago; ${waits(place)}`,
      todo: 'see the log of the cloud: its disk or its database may be slow or refuse writes',
      since: flyingMs,
    },
  ];
}

function linkFinding({ state, since, error, nextMs, attempts }: LinkLook): Finding<number> {
  const why = error === undefined ? 'it is being connected' : error.message;
  const how =
    state === 'connecting'
      ? 'has not reached the cloud since it started'
      : 'is not connected to the cloud';
  const tried =
    attempts === 0 ? '' : `, after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`;
  return {
    stage: 'link',
    effect: 'stops',
    ...(error !== undefined && { code: error.code }),
    message: `the edge ${how}${tried}: ${why}`,
    todo: 'nothing is lost: the latest value of each property goes up when the link is back. Check that the cloud runs, and "cloud:" in limpet.yaml',
    since,
    ...(nextMs !== undefined && { until: nextMs }),
  };
}

function queued(place: NonNullable<SendingFacts['place']>): Finding<number> {
  return { stage: 'queue', effect: 'stops', message: waits(place) };
}

function waits({ before, rows }: NonNullable<SendingFacts['place']>): string {
  const others = before === 0 ? 'it is the next' : `${before} of ${rows} rows go before it`;
  return `its latest row waits to be sent: ${others}`;
}
