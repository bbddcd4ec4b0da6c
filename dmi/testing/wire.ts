/** An in-memory wire between a mapper and its simulator, on which answers can be harmed. */
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { Serve } from './context.ts';
import type { Random } from './random.ts';

/** What happens to the simulator's answers from now on. `after`: bytes that still pass unharmed. */
export type Harm =
  | { readonly kind: 'none' }
  | { readonly kind: 'pieces' }
  | { readonly kind: 'cut' | 'end' | 'silence'; readonly after: number }
  | { readonly kind: 'noise-before' | 'noise-instead' | 'flipped-bits'; readonly random: Random };

/** One dialled wire. */
export class Wire {
  /** The mapper's end. */
  readonly near: Duplex;
  readonly #far: Duplex;
  readonly #inner: Duplex;
  readonly #harm: () => Harm;
  #passed = 0;
  #last: Harm | undefined;

  /** `harm` is asked at each chunk, so one rig can turn all its wires bad at once. */
  constructor(serve: Serve, harm: () => Harm) {
    const [near, inner] = duplexPair();
    const [outer, far] = duplexPair();
    this.near = near;
    this.#far = far;
    this.#inner = inner;
    this.#harm = harm;
    // A mapper without a listener of its own would end this process; `deaf` tells instead.
    for (const end of [near, inner, outer, far]) end.on('error', () => undefined);
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
    inner.pipe(outer);
    void this.#answers(outer);
    serve(far);
  }

  /** Whether nobody but this wire listens for errors, which on a real one would end the process. */
  get deaf(): boolean {
    return this.near.listenerCount('error') < 2;
  }

  /** Whether the mapper has given the wire back. */
  get released(): boolean {
    return this.near.destroyed || this.near.writableEnded;
  }

  /** Resets the wire, as when a cable is pulled. */
  cut(): void {
    this.near.destroy(Object.assign(new Error('the wire was cut'), { code: 'ECONNRESET' }));
    this.#far.destroy();
  }

  /** Carries answers up one by one; ends with the wire. */
  async #answers(outer: Duplex): Promise<void> {
    try {
      for await (const chunk of outer) {
        for (const piece of this.#harmed(chunk as Buffer)) {
          if (this.near.destroyed) return;
          this.#inner.write(piece);
          await setImmediate();
        }
      }
      this.#inner.end();
    } catch {
      // The far end broke off: that is what a lost wire looks like, and `near` is told so.
      this.cut();
    }
  }

  *#harmed(chunk: Buffer): Generator<Buffer> {
    const harm = this.#harm();
    if (harm !== this.#last) this.#passed = 0;
    this.#last = harm;
    switch (harm.kind) {
      case 'none':
        return yield chunk;
      case 'pieces':
        return yield* Array.from(chunk, (byte) => Buffer.of(byte));
      case 'noise-before':
        return yield Buffer.concat([noise(harm.random), chunk]);
      case 'noise-instead':
        return yield noise(harm.random);
      case 'flipped-bits':
        return yield flipped(chunk, harm.random);
      case 'cut':
      case 'end':
      case 'silence':
        return yield* this.#until(harm.kind, harm.after, chunk);
    }
  }

  *#until(kind: 'cut' | 'end' | 'silence', after: number, chunk: Buffer): Generator<Buffer> {
    const part = chunk.subarray(0, Math.max(0, after - this.#passed));
    this.#passed += part.length;
    if (part.length > 0) yield part;
    if (part.length === chunk.length) return;
    if (kind === 'cut') this.cut();
    if (kind === 'end') this.#inner.end();
  }
}

function noise(random: Random): Buffer {
  return random.bytes(1 + random.below(64));
}

function flipped(chunk: Buffer, random: Random): Buffer {
  const copy = Buffer.from(chunk);
  const at = random.below(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  return copy;
}
