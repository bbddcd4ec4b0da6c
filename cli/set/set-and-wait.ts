/** Places an order and waits until it got as far as asked: the heart of `limpet set`, and of its benchmark. */
import type { Json } from '@limpet/dmi';
import type { Desired, Device, Resource } from '@limpet/dmi/manifest';
import type { Api, Target } from '../api.ts';
import { follow } from '../follow.ts';
import { progress, type Stage } from './progress.ts';

/** What this needs of an API. */
type Orders = Pick<Api, 'list' | 'patch' | 'watch'>;

export interface Order {
  readonly namespace: string;
  readonly name: string;
  readonly property: string;
  /** `null` withdraws. */
  readonly value: Json;
  /** Not to be executed later than this from now. */
  readonly expiresMs?: number;
}

export interface Waiting {
  readonly wait: Stage;
  readonly timeoutMs: number;
  /** Told of the order's twin each time that it may have moved. */
  readonly seen?: (desired: Desired) => void;
}

export type Outcome =
  | {
      readonly kind: 'reached' | 'refused' | 'superseded';
      readonly rev: number;
      readonly desired: Desired;
    }
  | { readonly kind: 'withdrawn' }
  | { readonly kind: 'deleted' }
  /** Not there in time; the device as last seen. */
  | { readonly kind: 'late'; readonly device: Device };

/**
 * Resolves when the order's stage is there, or never will be, or after `timeoutMs`. The watch opens while the patch
 * is under way, so that waiting costs no round trip of its own; a watch that breaks is opened again.
 * @throws what the API refuses, and a connection that cannot be made.
 */
export async function setAndWait(api: Orders, order: Order, waiting: Waiting): Promise<Outcome> {
  const controller = new AbortController();
  const judge = new Judge(order.property, waiting);
  const watched =
    waiting.wait === 'accepted' ? undefined : watch(api, order, controller.signal, judge);
  // A watch that fails is heard below; until then it must not count as unheard.
  watched?.catch(() => {});
  try {
    const patched = await place(api, order);
    const rev = patched.status?.twin[order.property]?.desired?.rev;
    if (order.value === null || rev === undefined) return { kind: 'withdrawn' };
    judge.expect(rev, patched);
    return await Promise.race([
      judge.outcome,
      late(judge, waiting.timeoutMs, controller.signal),
      ...heard(watched),
    ]);
  } finally {
    controller.abort();
  }
}

async function place(
  api: Orders,
  { namespace, name, property, value, expiresMs }: Order,
): Promise<Device> {
  const target: Target = { kind: 'Device', namespace, name };
  const patch = { spec: { desired: { [property]: value } } };
  return asDevice(await api.patch(target, patch, expiresMs === undefined ? {} : { expiresMs }));
}

async function watch(
  api: Orders,
  { namespace, name }: Order,
  signal: AbortSignal,
  judge: Judge,
): Promise<void> {
  const query = { kind: 'Device', namespace, fieldSelector: `metadata.name=${name}` } as const;
  for await (const step of follow(api, query, { signal })) {
    const changes =
      step.kind === 'list' ? step.changes : step.kind === 'change' ? [step.change] : [];
    for (const { type, object } of changes) {
      if (type === 'DELETED') judge.gone();
      else judge.see(asDevice(object));
    }
  }
}

/** The watch as something to race with: it never wins, it can only fail. */
function heard(watched: Promise<void> | undefined): Promise<never>[] {
  return watched === undefined ? [] : [watched.then(() => new Promise<never>(() => {}))];
}

function late(judge: Judge, ms: number, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(judge.late()), ms);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });
}

/** Holds what is known of the order, from the patch's answer and from the watch, whichever comes first. */
class Judge {
  readonly outcome: Promise<Outcome>;
  readonly #property: string;
  readonly #waiting: Waiting;
  readonly #resolve: (outcome: Outcome) => void;
  #rev: number | undefined;
  #latest: Device | undefined;

  constructor(property: string, waiting: Waiting) {
    this.#property = property;
    this.#waiting = waiting;
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.outcome = promise;
    this.#resolve = resolve;
  }

  /** The order has its rev; `patched` is the device as the answer showed it. */
  expect(rev: number, patched: Device): void {
    this.#rev = rev;
    const known = this.#latest?.status?.twin[this.#property]?.desired;
    // The watch may be ahead of the answer, and an answer behind it must not count as news.
    this.see(
      known !== undefined && known.rev >= rev && this.#latest !== undefined
        ? this.#latest
        : patched,
    );
  }

  see(device: Device): void {
    this.#latest = device;
    const desired = device.status?.twin[this.#property]?.desired;
    const rev = this.#rev;
    if (rev === undefined || desired === undefined) return;
    if (desired.rev === rev) this.#waiting.seen?.(desired);
    const { kind } = progress(desired, rev, this.#waiting.wait);
    if (kind !== 'waiting') this.#resolve({ kind, rev, desired });
  }

  gone(): void {
    this.#resolve({ kind: 'deleted' });
  }

  late(): Outcome {
    if (this.#latest === undefined) throw new Error('timed out before the order was placed');
    return { kind: 'late', device: this.#latest };
  }
}

function asDevice(resource: Resource): Device {
  if (resource.kind !== 'Device') throw new Error(`asked for a Device, got a ${resource.kind}`);
  return resource;
}
