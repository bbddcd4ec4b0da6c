/** What a mapper's process says of its wires, which the core does not believe unseen. */
import { type CapturedEvent, type CapturePage } from '@limpet/dmi/manifest';
import { countOf, fieldsOf, listOf, ProtocolFault } from './checks.ts';

const MAX_EVENTS = 4_000;
const MAX_WIRES = 10_000;
const MAX_TEXT = 500;
const KINDS: readonly unknown[] = ['open', 'close', 'in', 'out'];

/** @throws ProtocolFault */
export function pageOf(answer: unknown): CapturePage {
  const { events, dropped, wires, more } = fieldsOf(answer);
  const lost = fieldsOf(dropped);
  return {
    events: listOf(events, MAX_EVENTS, 'captured events').map(eventOf),
    dropped: {
      events: countOf(lost['events'], Number.MAX_SAFE_INTEGER, 'dropped events'),
      bytes: countOf(lost['bytes'], Number.MAX_SAFE_INTEGER, 'dropped bytes'),
    },
    wires: countOf(wires, MAX_WIRES, 'wires'),
    more: more === true,
  };
}

function eventOf(value: unknown): CapturedEvent {
  const { us, kind, bytes, text } = fieldsOf(value);
  if (!KINDS.includes(kind)) throw new ProtocolFault('a captured event of no known kind');
  return {
    us: countOf(us, Number.MAX_SAFE_INTEGER, 'a time'),
    kind: kind as CapturedEvent['kind'],
    ...(typeof bytes === 'string' && { bytes }),
    ...(typeof text === 'string' && { text: text.slice(0, MAX_TEXT) }),
  };
}
