/** A recording as a person reads it: time, direction, hex and text. Pure. */
import type { RecordedEvent, Recording } from '@limpet/dmi/testing';

const COLUMNS = 16;

export function* transcript({ header, events, dropped }: Recording): Generator<string> {
  yield `${header.device}, ${header.protocol}, recorded ${header.at} by Limpet ${header.by}`;
  for (const event of events) yield* linesOf(event);
  if (dropped.events > 0) yield `${dropped.events} events (${dropped.bytes} bytes) were lost`;
  const [out, into] = [sum(events, 'out'), sum(events, 'in')];
  yield `${events.length} events, ${out} bytes out, ${into} bytes in`;
}

function* linesOf(event: RecordedEvent): Generator<string> {
  const time = `${(event.us / 1000).toFixed(3).padStart(12)} ms`;
  switch (event.kind) {
    case 'open':
      return yield `${time}  open  ${event.address}`;
    case 'close':
      return yield `${time}  close ${event.reason}`;
    case 'in':
    case 'out':
      for (let at = 0; at < event.bytes.length; at += COLUMNS) {
        const row = event.bytes.subarray(at, at + COLUMNS);
        const lead =
          at === 0 ? `${time}  ${event.kind === 'out' ? 'out >' : 'in  <'}` : ' '.repeat(22);
        yield `${lead} ${hex(row)}  ${text(row)}`;
      }
  }
}

function hex(row: Buffer): string {
  const pairs = Array.from(row, (byte) => byte.toString(16).padStart(2, '0'));
  return pairs.join(' ').padEnd(COLUMNS * 3 - 1);
}

function text(row: Buffer): string {
  return Array.from(row, (byte) =>
    byte > 31 && byte < 127 ? String.fromCharCode(byte) : '.',
  ).join('');
}

function sum(events: Recording['events'], kind: 'in' | 'out'): number {
  return events.reduce((total, event) => total + (event.kind === kind ? event.bytes.length : 0), 0);
}
