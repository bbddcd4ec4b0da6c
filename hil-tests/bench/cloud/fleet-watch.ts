/** One watch of all devices, as a controller or a page of the whole fleet has it: how far behind it is. */
import type { ApiClient } from '#protocol/api';
import type { Device } from '@limpet/dmi/manifest';
import { Histogram } from './histogram.ts';

export interface FleetWatch {
  readonly events: number;
  readonly seconds: number;
  /** From the newest value in what is told to here, by the clock that both share. */
  readonly lag: Histogram;
}

export async function watchFleet(api: ApiClient, durationMs: number): Promise<FleetWatch> {
  const stop = new AbortController();
  const lag = new Histogram();
  const { resourceVersion } = await versionNow(api);
  const start = performance.now();
  const timer = setTimeout(() => stop.abort(), durationMs);
  let events = 0;
  for await (const event of api.watch('Device', { resourceVersion }, stop.signal)) {
    if (event.type === 'BOOKMARK') continue;
    events++;
    lag.add(Math.max(0, Date.now() - newest(event.object as Device)));
  }
  clearTimeout(timer);
  return { events, seconds: (performance.now() - start) / 1000, lag };
}

/** Of an empty list: a watch takes over there, without reading everything first. */
function versionNow(api: ApiClient): Promise<{ readonly resourceVersion: string }> {
  return api.list('Device', { fieldSelector: 'metadata.name=none' });
}

function newest({ status }: Device): number {
  const ats = Object.values(status?.twin ?? {}).map(({ reported }) =>
    Date.parse(reported?.at ?? ''),
  );
  return Math.max(...ats.filter(Number.isFinite));
}
