/** Pages of a capture, one after the other, as the lines of a recording. */
import type { CapturedEvent, CapturePage, Device } from '@limpet/dmi/manifest';

export interface Counts {
  readonly wires: number;
  readonly bytes: number;
  readonly dropped: CapturePage['dropped'];
  /** How often whoever records forgot it, and began anew. */
  readonly restarts: number;
  /** What ended it early: what was recorded until then counts. */
  readonly failure?: unknown;
}

export interface Sink {
  write(line: string): void;
  close(): void;
}

/** Why nothing of this device will ever be recorded, as the first page shows; later a wire may be gone for a while. */
export function unseenWires(
  { metadata, status }: Device,
  { wires, events }: CapturePage,
): string | undefined {
  if (status?.state !== 'online' || wires > 0 || events.length > 0) return undefined;
  return `"${metadata.name}" is online, and not over a wire that Limpet sees: the library of its mapper uses none, or one of its own in the edge's process. Use the system's tools, such as tcpdump or btmon.`;
}

/** Writes what comes, and always how it ended: a recording without its end is none. */
export async function record(pages: AsyncIterable<CapturePage>, sink: Sink): Promise<Counts> {
  const recorder = new Recorder(sink);
  let failure = {};
  try {
    for await (const page of pages) recorder.take(page);
  } catch (error) {
    failure = { failure: error };
  }
  return { ...recorder.end(), ...failure };
}

class Recorder {
  readonly #sink: Sink;
  #wires = 0;
  #bytes = 0;
  #restarts = 0;
  #lastUs = 0;
  /** Before the capture began that pages come from now. */
  #earlier = { us: 0, events: 0, bytes: 0 };
  #dropped = { events: 0, bytes: 0 };

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  take({ events, dropped, wires }: CapturePage): void {
    // Times and counts only grow, unless they begin at 0 again.
    const before = (events[0]?.us ?? Infinity) + this.#earlier.us < this.#lastUs;
    if (before || dropped.events < this.#dropped.events) this.#restarted();
    this.#dropped = { ...dropped };
    this.#wires = Math.max(this.#wires, wires);
    for (const event of events) this.#write(event);
  }

  end(): Counts {
    const { events, bytes } = this.#earlier;
    const dropped = { events: events + this.#dropped.events, bytes: bytes + this.#dropped.bytes };
    this.#sink.write(JSON.stringify({ end: this.#lastUs, dropped }));
    return { wires: this.#wires, bytes: this.#bytes, dropped, restarts: this.#restarts };
  }

  #restarted(): void {
    const { events, bytes } = this.#earlier;
    const { events: more, bytes: moreBytes } = this.#dropped;
    this.#restarts += 1;
    this.#earlier = { us: this.#lastUs, events: events + more, bytes: bytes + moreBytes };
  }

  #write({ us, kind, bytes: base64 = '', text = '' }: CapturedEvent): void {
    const content = Buffer.from(base64, 'base64');
    const what = kind === 'in' || kind === 'out' ? content.toString('hex') : text;
    this.#bytes += content.length;
    this.#lastUs = Math.max(this.#lastUs, us + this.#earlier.us);
    this.#sink.write(JSON.stringify({ us: this.#lastUs, [kind]: what }));
  }
}
