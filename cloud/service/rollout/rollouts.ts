/** What the API's backend asks of rollouts: that they may be as they are written, and what became of their devices. */
import {
  duration,
  type Resource,
  type Rollout,
  type RolloutOutcome,
  type RolloutSpec,
} from '@limpet/dmi/manifest';
import {
  ApiError,
  keyOf,
  notFound,
  type OutcomeQuery,
  type Outcomes,
  type Target,
} from '#protocol/api';
import type { StoredDoc, StoredObject } from '../store/objects.ts';
import type { Held, RolloutDevice, Terms } from '../store/rollouts.ts';
import type { CloudStore, Writing } from '../store/store.ts';
import { NO_COUNTS } from './carry-out.ts';
import type { Language } from './choose.ts';
import { MOST_UNFINISHED } from './kept.ts';
import { isActive } from './plan.ts';
import { previewOf } from './preview.ts';
import { faultIn, queryOf, refuseChanges, termsOf } from './terms.ts';

export class RolloutDesk {
  readonly #store: CloudStore;
  readonly #language: Language;

  constructor(store: CloudStore, language: Language) {
    this.#store = store;
    this.#language = language;
  }

  /** A document is about to be stored. @throws ApiError BadRequest, Forbidden, Invalid */
  async check(tx: Writing, target: Target, docs: Docs): Promise<void> {
    const { before, after } = docs;
    if (after.kind !== 'Rollout') return;
    if (before?.kind === 'Rollout') return refuseChanges(target, before.spec, after.spec);
    if ((await tx.rollouts.unfinished()) < MOST_UNFINISHED) return;
    const message = `there are ${MOST_UNFINISHED} rollouts that have not ended: let one end, or delete it`;
    throw new ApiError('Forbidden', message);
  }

  /** A document was stored. */
  async written(tx: Writing, target: Target): Promise<void> {
    const object = await tx.objects.get('Rollout', keyOf(target));
    if (object?.doc.kind !== 'Rollout') return;
    const { n, id, doc } = object;
    const held = await tx.rollouts.get(n);
    const terms = held ? changedTerms(held.terms, doc.spec) : await this.#terms(tx, target, doc);
    const next: Held = { n, id, terms, progress: held?.progress ?? begun(tx.now()) };
    await tx.rollouts.put(next, isActive(terms, next.progress));
  }

  /** Its document is gone: nobody is told any more. */
  async removed(tx: Writing, { kind, n }: StoredObject): Promise<void> {
    if (kind === 'Rollout') await tx.rollouts.abandon(n);
  }

  /** With what it would do, for a dry run. */
  async previewed(resource: Resource): Promise<Resource> {
    if (resource.kind !== 'Rollout' || resource.status === undefined) return resource;
    const { metadata, spec, status } = resource;
    if (status.phase !== 'Planned' || status.counts.total > 0) return resource;
    const query = queryOf(spec);
    const now = this.#store.now();
    const { set } = await this.#store.read((reading) => this.#language.read(reading, query, now));
    const asked = { query, namespace: metadata.namespace ?? 'default', now };
    const preview = await previewOf(this.#store, this.#language, {
      ...asked,
      set: Object.fromEntries(set),
    });
    return { ...resource, status: { ...status, preview } };
  }

  /** @throws ApiError NotFound */
  async outcomes(target: Target, { limit, after = 0, state }: OutcomeQuery): Promise<Outcomes> {
    const devices = await this.#store.read(async ({ objects, rollouts }) => {
      const object = await objects.get('Rollout', keyOf(target));
      if (object === undefined) throw notFound(target);
      return rollouts.page(object.n, after, limit + 1, state);
    });
    const items = devices.slice(0, limit);
    const last = items.at(-1)?.place;
    const more = devices.length > limit && last !== undefined;
    return { items: items.map((each) => outcomeOf(each)), ...(more && { next: last }) };
  }

  async #terms(tx: Writing, target: Target, { spec }: Rollout): Promise<Held['terms']> {
    try {
      const update = await this.#language.read(tx, queryOf(spec), tx.now());
      return termsOf(target, spec, update);
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'BadRequest') throw error;
      throw faultIn(spec, error);
    }
  }
}

interface Docs {
  readonly before: StoredDoc | undefined;
  readonly after: StoredDoc;
}

/** Its query is not read again: what it says of models may have changed since. */
function changedTerms(terms: Terms, spec: RolloutSpec): Terms {
  const { batch, maxFailures, timeout, paused = false, revert = false } = spec;
  const timeoutMs = timeout === undefined ? undefined : duration(timeout);
  return {
    ...terms,
    paused,
    revert,
    ...(batch !== undefined && { batch }),
    ...(maxFailures !== undefined && { maxFailures }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  };
}

function begun(started: number): Held['progress'] {
  const none = { chosen: false, last: '', reverted: 0, batch: -1, left: 0, forgiven: 0 };
  return { phase: 'Planned', counts: NO_COUNTS, ...none, started };
}

function outcomeOf(device: RolloutDevice): RolloutOutcome {
  const { device: id, state, batch, code, message, was, stages } = device;
  const before = Object.entries(was).map(([name, { value }]) => [name, value] as const);
  return {
    device: id,
    state,
    ...(batch !== undefined && { batch }),
    ...(code !== undefined && { code }),
    ...(message !== undefined && { message }),
    before: Object.fromEntries(before),
    ...(stages && { stages: mapped(stages) }),
  };
}

type Times = NonNullable<RolloutDevice['stages']>;

function mapped(stages: Times): NonNullable<RolloutOutcome['stages']> {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return Object.fromEntries(
    Object.entries(stages).map(([property, { accepted, stored, sent, confirmed }]) => [
      property,
      {
        accepted: iso(accepted),
        ...(stored !== undefined && { stored: iso(stored) }),
        ...(sent !== undefined && { sent: iso(sent) }),
        ...(confirmed !== undefined && { confirmed: iso(confirmed) }),
      },
    ]),
  );
}
