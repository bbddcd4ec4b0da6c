/** A wire between a mapper and its simulator, on which answers can be harmed: in memory, or between two sockets. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate, setTimeout as realDelay } from 'node:timers/promises';
import { type Harm, harmed, type Step } from './harm.ts';

/** Asked at each chunk, so that one rig can turn all its wires bad at once. */
export type HarmNow = () => Harm;

/** How long a mapper may take to listen before a flood stops. */
const DRAIN_MS = 100;

interface Ends {
  /** Where the mapper's requests come out, and its answers go in. */
  readonly up: Duplex;
  /** Where the device's answers come out, and its requests go in. */
  readonly down: Duplex;
  /** Resets the mapper's end. */
  readonly reset: () => void;
  /** Whether the mapper has given its end back. */
  readonly released: () => boolean;
  /** Whether nobody but this wire listens for errors; `undefined` where that cannot be seen. */
  readonly deaf: () => boolean | undefined;
}

/** One wire that the mapper has opened. */
export class Wire {
  readonly #ends: Ends;
  readonly #harm: HarmNow;
  #passed = 0;
  #last: Harm | undefined;
  #answered = 0;
  #moved = 0;

  private constructor(ends: Ends, harm: HarmNow) {
    this.#ends = ends;
    this.#harm = harm;
    const { up, down } = ends;
    for (const end of [up, down]) end.on('error', () => undefined);
    up.on('data', () => this.#moved++);
    up.pipe(down);
    void this.#answers();
  }

  /** A wire that the kit dials for the mapper; `near` is the mapper's end. */
  static inMemory(accept: (wire: Duplex) => void, harm: HarmNow): { wire: Wire; near: Duplex } {
    const [near, up] = duplexPair();
    const [down, far] = duplexPair();
    // A mapper without a listener of its own would end this process; `deaf` tells instead.
    for (const end of [near, far]) end.on('error', () => undefined);
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
    const wire = new Wire(
      {
        up,
        down,
        reset() {
          near.destroy(Object.assign(new Error('the wire was cut'), { code: 'ECONNRESET' }));
          far.destroy();
        },
        released: () => near.destroyed || near.writableEnded,
        deaf: () => near.listenerCount('error') < 2,
      },
      harm,
    );
    accept(far);
    return { wire, near };
  }

  /** A wire between a socket that the mapper's library opened and one to its device. */
  static betweenSockets(up: Socket, down: Socket, harm: HarmNow): Wire {
    up.once('close', () => down.destroy());
    down.once('close', () => up.destroySoon());
    return new Wire(
      {
        up,
        down,
        reset() {
          up.resetAndDestroy();
          down.destroy();
        },
        released: () => up.destroyed || up.readableEnded,
        deaf: () => undefined,
      },
      harm,
    );
  }

  /** Whether nobody but this wire listens for errors, which on a real one would end the process. */
  get deaf(): boolean | undefined {
    return this.#ends.deaf();
  }

  /** Whether the mapper has given the wire back. */
  get released(): boolean {
    return this.#ends.released();
  }

  /** Bytes of answers that reached the mapper. */
  get answered(): number {
    return this.#answered;
  }

  /** Sends the mapper what it did not ask for; less of it where it does not listen. */
  async flood(chunk: Buffer, times: number): Promise<void> {
    const { up } = this.#ends;
    for (let time = 0; time < times && !up.destroyed && !up.writableEnded; time++) {
      if (up.writableNeedDrain) await Promise.race([once(up, 'drain'), realDelay(DRAIN_MS)]);
      if (up.writableNeedDrain) return;
      up.write(chunk);
    }
  }

  /** How often something came along, in either direction. */
  get moved(): number {
    return this.#moved;
  }

  /** Resets the wire, as when a cable is pulled. */
  cut(): void {
    this.#ends.reset();
  }

  /** Carries answers up one by one; ends with the wire. */
  async #answers(): Promise<void> {
    const { up, down } = this.#ends;
    try {
      for await (const chunk of down) {
        for (const step of this.#steps(chunk as Buffer)) {
          if (up.destroyed || up.writableEnded) return;
          this.#moved++;
          await this.#take(step);
        }
      }
      up.end();
    } catch {
      // The far end broke off: that is what a lost wire looks like, and the mapper is told so.
      this.cut();
    }
  }

  async #take(step: Step): Promise<void> {
    const { up } = this.#ends;
    switch (step.kind) {
      case 'pass':
        this.#passed += step.bytes.length;
        this.#answered += step.bytes.length;
        up.write(step.bytes);
        return setImmediate();
      case 'wait':
        return step.clock.sleep(step.ms);
      case 'cut':
        return this.cut();
      case 'end':
        up.end();
    }
  }

  #steps(chunk: Buffer): Step[] {
    const harm = this.#harm();
    if (harm !== this.#last) this.#passed = 0;
    this.#last = harm;
    return harmed(harm, chunk, this.#passed);
  }
}
