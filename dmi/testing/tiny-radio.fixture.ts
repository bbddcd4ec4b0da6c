/** A way to a tiny device that the kit cannot stand in front of, harmed by functions of its own. */
import { type Duplex, duplexPair } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Unreachable } from '../index.ts';
import type { SubjectHarm } from './subject.ts';
import type { TinyDevice } from './tiny-device.fixture.ts';

type State = 'well' | 'silent' | 'refusing' | 'garbling' | 'slow';

export class TinyRadio implements SubjectHarm {
  #device: TinyDevice | undefined;
  #state: State = 'well';
  readonly #links = new Set<Duplex>();

  bring(device: TinyDevice): void {
    this.#device = device;
  }

  async dial(signal: AbortSignal): Promise<Duplex> {
    signal.throwIfAborted();
    if (this.#state === 'refusing')
      throw new Unreachable('TINY_AWAY', 'the device is out of reach');
    if (this.#state === 'silent') await delay(600_000, undefined, { signal, ref: false });
    const [near, up] = duplexPair();
    const [down, far] = duplexPair();
    for (const end of [near, up, down, far]) end.on('error', () => undefined);
    this.#links.add(near);
    near.once('close', () => {
      this.#links.delete(near);
      far.destroy();
    });
    up.pipe(down);
    down.on('data', (chunk: Buffer) => this.#carry(chunk, up));
    down.on('end', () => up.end());
    this.#device?.serve(far);
    return near;
  }

  heal(): void {
    this.#state = 'well';
  }

  cut(): void {
    for (const link of this.#links) link.destroy(new Error('the link is lost'));
  }

  silence(): void {
    this.#state = 'silent';
  }

  refuse(): void {
    this.#state = 'refusing';
  }

  garble(): void {
    this.#state = 'garbling';
  }

  slow(): void {
    this.#state = 'slow';
  }

  #carry(chunk: Buffer, up: Duplex): void {
    if (this.#state === 'silent' || up.destroyed || up.writableEnded) return;
    if (this.#state === 'garbling') return void up.write('?#!\n');
    if (this.#state !== 'slow') return void up.write(chunk);
    for (const byte of chunk) up.write(Buffer.of(byte));
  }
}
