/**
 * A recording: what went over a device's wires, as JSON lines. The first line says of what, `{"limpet":"capture","version":1,…}`; each
 * event is `{"us":…}` with one of `open` (an address), `out` and `in` (bytes in hex, to and from the device) and `close`; the last
 * says how it ended, `{"end":…,"dropped":{…}}`.
 */
import type { Json } from '../value.ts';

/** What a recording was made of. */
export interface RecordingHeader {
  readonly limpet: 'capture';
  readonly version: 1;
  /** `namespace/name`. */
  readonly device: string;
  readonly protocol: string;
  /** Without secrets. */
  readonly settings: { readonly [key: string]: Json };
  /** What the model says of its properties. */
  readonly properties: readonly { readonly [key: string]: Json }[];
  /** RFC 3339. */
  readonly at: string;
  /** Of the Limpet that recorded it. */
  readonly by: string;
}

/** One thing that happened, in microseconds since the beginning. */
export type RecordedEvent = { readonly us: number } & (
  | { readonly kind: 'open'; readonly address: string }
  | { readonly kind: 'out' | 'in'; readonly bytes: Buffer }
  | { readonly kind: 'close'; readonly reason: string }
);

export interface Recording {
  readonly header: RecordingHeader;
  readonly events: readonly RecordedEvent[];
  /** What was lost while it was recorded. */
  readonly dropped: { readonly events: number; readonly bytes: number };
}

const MAX_CHARS = 64 * 1024 * 1024;

/**
 * Reads a recording.
 * @throws Error that names the line and what is wrong with it
 */
export function parseRecording(text: string): Recording {
  if (text.length > MAX_CHARS) throw new Error('a recording has at most 64 MiB');
  const lines = text.split('\n').flatMap((line, at) => (line.trim() === '' ? [] : [{ line, at }]));
  const [first, ...more] = lines.map(({ line, at }) => ({ fields: objectIn(line, at), at }));
  if (first === undefined) throw new Error('line 1: the recording is empty');
  const header = headerOf(first.fields);
  const last = more.at(-1);
  if (last === undefined || !('end' in last.fields)) {
    throw new Error('the last line must be {"end":…}: the recording was cut short');
  }
  const events = more.slice(0, -1).map(({ fields, at }) => eventOf(fields, at));
  const late = events.findIndex(({ us }, index) => us < (events[index - 1]?.us ?? 0));
  if (late >= 0) throw new Error(`line ${(more[late]?.at ?? 0) + 1}: its time is before the last`);
  const { dropped } = last.fields;
  return { header, events, dropped: droppedOf(dropped) };
}

/** Writes a recording as {@link parseRecording} reads it. */
export function formatRecording({ header, events, dropped }: Recording): string {
  const lines = events.map((event) => JSON.stringify(lineOf(event)));
  const end = { end: events.at(-1)?.us ?? 0, dropped };
  return `${[JSON.stringify(header), ...lines, JSON.stringify(end)].join('\n')}\n`;
}

function lineOf(event: RecordedEvent): object {
  const { us } = event;
  switch (event.kind) {
    case 'open':
      return { us, open: event.address };
    case 'close':
      return { us, close: event.reason };
    case 'in':
      return { us, in: event.bytes.toString('hex') };
    case 'out':
      return { us, out: event.bytes.toString('hex') };
  }
}

type Fields = Readonly<Record<string, unknown>>;

function objectIn(line: string, at: number): Fields {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new Error(`line ${at + 1}: not JSON`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Error(`line ${at + 1}: expected a JSON object`);
}

function headerOf(fields: Fields): RecordingHeader {
  const { limpet, version, device, protocol, settings, properties } = fields;
  if (limpet !== 'capture')
    throw new Error('line 1: expected {"limpet":"capture",…}: no recording');
  if (version !== 1) throw new Error('line 1: a recording of another version: use a newer Limpet');
  const right = typeof device === 'string' && typeof protocol === 'string';
  if (!right || typeof settings !== 'object' || !Array.isArray(properties)) {
    throw new Error('line 1: expected device, protocol, settings and properties');
  }
  return fields as unknown as RecordingHeader;
}

function eventOf(fields: Fields, at: number): RecordedEvent {
  const { us } = fields;
  if (typeof us !== 'number' || !Number.isSafeInteger(us) || us < 0) {
    throw new Error(`line ${at + 1}: expected "us", whole microseconds since the beginning`);
  }
  if (typeof fields['open'] === 'string') return { us, kind: 'open', address: fields['open'] };
  if (typeof fields['close'] === 'string') return { us, kind: 'close', reason: fields['close'] };
  for (const kind of ['in', 'out'] as const) {
    const hex = fields[kind];
    if (typeof hex !== 'string') continue;
    if (/^(?:[0-9a-f]{2})+$/i.test(hex)) return { us, kind, bytes: Buffer.from(hex, 'hex') };
    throw new Error(`line ${at + 1}: "${kind}" must be bytes in hex`);
  }
  throw new Error(`line ${at + 1}: expected "open", "out", "in" or "close"`);
}

function droppedOf(value: unknown): Recording['dropped'] {
  const { events, bytes } = (value ?? {}) as { events?: unknown; bytes?: unknown };
  return { events: Number(events ?? 0), bytes: Number(bytes ?? 0) };
}
