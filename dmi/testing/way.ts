/** The ways from a mapper to its simulated device, and what the kit can do to each of them. */
import type { Duplex } from 'node:stream';
import { Unreachable } from '../errors.ts';
import type { Clock, MaybeLater } from '../mapper.ts';
import type { SimulatedDevice } from '../simulator.ts';
import { Broken, NotApplicable } from './broken.ts';
import type { Harm } from './harm.ts';
import { Proxy } from './proxy.ts';
import type { Subject, SubjectHarm } from './subject.ts';
import { Wire } from './wire.ts';

/** What opening the device meets. */
export type Dialling = 'answers' | 'refuses' | 'hangs';

/** Thrown {@link NotApplicable} by whatever cannot be done on this way. */
export interface Way {
  /** Whether the kit sees the bytes. */
  readonly visible: boolean;
  /** Whether nothing on it takes real time. */
  readonly inMemory: boolean;
  /** Where the device is, for who looks for it. */
  readonly address?: string;
  can(kind: Harm['kind']): boolean;
  /** Those that were opened and not swept away. */
  readonly wires: readonly Wire[];
  /** As a device says them. */
  settings(): unknown;
  /** What `context.dial` does; `clock` is the mapper's. */
  dial(address: string, clock: Clock, signal: AbortSignal): Promise<Duplex>;
  /** What dialling meets from now on. */
  meet(dialling: Dialling): MaybeLater<void>;
  /** What happens to answers from now on, on every wire. */
  hurt(harm: Harm): MaybeLater<void>;
  /** Resets every wire. */
  cut(): MaybeLater<void>;
  /** Cuts what was left open, and forgets it. */
  sweep(): void;
  close(): Promise<void>;
}

/** The way that this device can be reached by. */
export async function wayTo(device: SimulatedDevice, subject: Subject): Promise<Way> {
  const { address } = device;
  if (device.accept !== undefined) return new DialledWay((wire) => device.accept?.(wire), subject);
  if (address !== undefined) return ProxiedWay.open(device, address, subject);
  if (subject.harm !== undefined) return new HarmedWay(subject.harm, subject);
  throw new Broken(
    'the simulated device has neither accept nor address: give one of them, or give harm to the subject',
  );
}

/** In-memory wires, dialled through the context. */
class DialledWay implements Way {
  readonly visible = true;
  readonly inMemory = true;
  readonly wires: Wire[] = [];
  readonly #accept: (wire: Duplex) => void;
  readonly #subject: Subject;
  #harm: Harm = { kind: 'none' };
  #dialling: Dialling = 'answers';

  constructor(accept: (wire: Duplex) => void, subject: Subject) {
    this.#accept = accept;
    this.#subject = subject;
  }

  can(): boolean {
    return true;
  }

  settings(): unknown {
    return this.#subject.settings;
  }

  async dial(address: string, clock: Clock, signal: AbortSignal): Promise<Duplex> {
    signal.throwIfAborted();
    if (this.#dialling === 'refuses') {
      throw new Unreachable('DIAL_REFUSED', `nothing answers at ${address}`);
    }
    if (this.#dialling === 'hangs') await clock.sleep(24 * 3_600_000, signal);
    const { wire, near } = Wire.inMemory(this.#accept, () => this.#harm);
    this.wires.push(wire);
    return near;
  }

  meet(dialling: Dialling): void {
    this.#dialling = dialling;
  }

  hurt(harm: Harm): void {
    this.#harm = harm;
  }

  cut(): void {
    for (const wire of this.wires) wire.cut();
  }

  sweep(): void {
    for (const wire of this.wires.splice(0)) wire.cut();
  }

  async close(): Promise<void> {
    this.sweep();
  }
}

/** A TCP proxy of the kit's own, for libraries that open their own sockets. */
class ProxiedWay implements Way {
  readonly visible = true;
  readonly inMemory = false;
  readonly #proxy: Proxy;
  readonly #settings: (address: string) => unknown;

  private constructor(proxy: Proxy, settings: (address: string) => unknown) {
    this.#proxy = proxy;
    this.#settings = settings;
  }

  static async open(device: SimulatedDevice, address: string, subject: Subject): Promise<Way> {
    if (device.settings === undefined) {
      throw new Broken(
        'a simulated device with an address needs settings(address) as well, so that the kit can lead the mapper through a proxy',
      );
    }
    const settings = device.settings.bind(device);
    const proxy = await Proxy.open(address);
    return new ProxiedWay(proxy, (through) => ({
      ...(subject.settings as object),
      ...settings(through),
    }));
  }

  get wires(): readonly Wire[] {
    return this.#proxy.wires;
  }

  get address(): string {
    return this.#proxy.address;
  }

  can(): boolean {
    return true;
  }

  settings(): unknown {
    return this.#settings(this.#proxy.address);
  }

  async dial(address: string): Promise<Duplex> {
    throw new Unreachable(
      'DIAL_REFUSED',
      `nothing serves ${address}: this simulated device is reached through sockets of the mapper's library`,
    );
  }

  meet(dialling: Dialling): void {
    this.#proxy.dialling = dialling;
  }

  hurt(harm: Harm): void {
    this.#proxy.harm = harm;
  }

  cut(): void {
    for (const wire of this.wires) wire.cut();
  }

  sweep(): void {
    this.#proxy.sweep();
  }

  close(): Promise<void> {
    return this.#proxy.close();
  }
}

/** What the author does to the device. */
class HarmedWay implements Way {
  readonly visible = false;
  readonly inMemory = false;
  readonly wires: readonly Wire[] = [];
  readonly #harm: SubjectHarm;
  readonly #subject: Subject;

  constructor(harm: SubjectHarm, subject: Subject) {
    this.#harm = harm;
    this.#subject = subject;
  }

  settings(): unknown {
    return this.#subject.settings;
  }

  can(kind: Harm['kind']): boolean {
    return kind === 'none' || this.#harm[FUNCTIONS[kind]] !== undefined;
  }

  async dial(address: string): Promise<Duplex> {
    throw new Unreachable('DIAL_REFUSED', `nothing serves ${address}: there is nothing to dial`);
  }

  meet(dialling: Dialling): MaybeLater<void> {
    if (dialling === 'answers') return this.#harm.heal();
    return this.#do(dialling === 'refuses' ? 'refuse' : 'silence');
  }

  hurt({ kind }: Harm): MaybeLater<void> {
    return kind === 'none' ? this.#harm.heal() : this.#do(FUNCTIONS[kind]);
  }

  cut(): MaybeLater<void> {
    return this.#do('cut');
  }

  sweep(): void {
    // Nothing is open but what the author's harm has to heal.
  }

  async close(): Promise<void> {
    await this.#harm.heal();
  }

  #do(name: Exclude<keyof SubjectHarm, 'heal'>): MaybeLater<void> {
    const act = this.#harm[name]?.bind(this.#harm);
    if (act !== undefined) return act();
    throw new NotApplicable(`the subject's harm has no ${name}()`);
  }
}

const FUNCTIONS = {
  pieces: 'slow',
  late: 'slow',
  repeat: 'flood',
  cut: 'cut',
  end: 'cut',
  silence: 'silence',
  'noise-before': 'garble',
  'noise-instead': 'garble',
  'flipped-bits': 'garble',
} as const;
