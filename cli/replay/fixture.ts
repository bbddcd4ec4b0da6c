/** What of a recording a test can use. Pure. */
import type { RecordedEvent, Recording } from '@limpet/dmi/testing';

/**
 * Begins at 0, and at a request: an answer to one that was asked before the capture began is left out. A wire that was open then is
 * opened here.
 */
export function fixtureOf({ header, events, dropped }: Recording): Recording {
  const first = events.findIndex(({ kind }) => kind === 'open' || kind === 'out');
  const kept = first < 0 ? [] : events.slice(first);
  const [start] = kept;
  if (start === undefined) return { header, events: [], dropped };
  const opened: RecordedEvent[] =
    start.kind === 'open' ? [] : [{ us: start.us, kind: 'open', address: 'already open' }];
  const shifted = [...opened, ...kept].map((event) => ({ ...event, us: event.us - start.us }));
  return { header, events: shifted, dropped };
}
