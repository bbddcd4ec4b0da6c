/** The streams beneath a mapper that is being written: they outlive its code, and can be cut, silenced and garbled. */
import { randomBytes } from 'node:crypto';
import { type Duplex, duplexPair } from 'node:stream';

export type Opening = (address: string, signal: AbortSignal) => Promise<Duplex>;

/** What becomes of what the device says. */
export type Harm = 'none' | 'silence' | 'garble';

interface Wire {
  readonly address: string;
  /** To the device. */
  readonly stream: Duplex;
  /** What the mapper holds; none while its code is replaced. */
  near: Duplex | undefined;
  /** Resolves once the mapper has given it back. */
  free: Promise<void>;
}

/** How long a stream must be silent before new code gets it: an answer to the old code is none to the new. */
const SILENCE_MS = 40;
const MAX_SILENCE_MS = 400;

export class Wires {
  readonly #open: Opening;
  readonly #wires = new Set<Wire>();
  #holding = false;
  harm: Harm = 'none';

  constructor(open: Opening) {
    this.#open = open;
  }

  /** How many are open. */
  get count(): number {
    return this.#wires.size;
  }

  /** Gives a mapper the stream that its earlier code had at this address, or opens one. */
  async dial(address: string, signal: AbortSignal): Promise<Duplex> {
    // Given back a moment ago, which the stream has yet to hear.
    const leaving = [...this.#wires].filter(({ near }) => near?.writableEnded === true);
    await Promise.all(leaving.map(({ free }) => free));
    const held = [...this.#wires].find(
      (wire) => wire.near === undefined && wire.address === address,
    );
    if (held !== undefined) {
      await silent(held.stream, signal);
      return this.#attach(held);
    }
    const stream = await this.#open(address, signal);
    const wire: Wire = { address, stream, near: undefined, free: Promise.resolve() };
    this.#wires.add(wire);
    stream.on('error', (error) => void wire.near?.destroy(error));
    stream.once('close', () => {
      this.#wires.delete(wire);
      wire.near?.destroy();
    });
    return this.#attach(wire);
  }

  /** Until `release`, a stream that the mapper gives back stays open for its next code. */
  hold(): void {
    this.#holding = true;
  }

  /** Ends the streams that nobody took up again. */
  release(): void {
    this.#holding = false;
    for (const wire of this.#wires) {
      if (wire.near !== undefined) continue;
      this.#wires.delete(wire);
      wire.stream.end();
    }
  }

  /** As when a cable is pulled. */
  cut(): number {
    const all = [...this.#wires];
    for (const { stream } of all) {
      stream.destroy(Object.assign(new Error('the wire was cut'), { code: 'ECONNRESET' }));
    }
    return all.length;
  }

  #attach(wire: Wire): Duplex {
    const { stream } = wire;
    const [near, far] = duplexPair();
    const { promise: free, resolve: freed } = Promise.withResolvers<void>();
    Object.assign(wire, { near, free });
    const up = (chunk: Buffer): void => {
      if (this.harm === 'silence') return;
      const kept = far.write(this.harm === 'garble' ? randomBytes(chunk.length) : chunk);
      if (kept) return;
      stream.pause();
      far.once('drain', () => stream.resume());
    };
    const ended = (): void => void far.end();
    stream.on('data', up).once('end', ended);
    far.on('error', () => undefined);
    near.on('error', () => undefined);
    far.pipe(stream, { end: false });
    const detach = (): void => {
      stream.off('data', up).off('end', ended);
      far.unpipe(stream);
      wire.near = undefined;
      freed();
    };
    far.once('end', () => {
      detach();
      stream.resume();
      if (this.#holding) return;
      this.#wires.delete(wire);
      stream.end();
    });
    near.once('close', () => {
      // Cut on purpose, where it was not given back before.
      if (wire.near !== near) return;
      detach();
      stream.destroy();
    });
    return near;
  }
}

async function silent(stream: Duplex, signal: AbortSignal): Promise<void> {
  let heard = performance.now();
  const note = (): void => void (heard = performance.now());
  stream.on('data', note);
  const end = heard + MAX_SILENCE_MS;
  try {
    while (performance.now() < Math.min(end, heard + SILENCE_MS)) {
      signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  } finally {
    stream.off('data', note);
  }
}
