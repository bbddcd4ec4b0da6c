/** The properties of one device that are listened to, and on which topics each of them is told. */
import type { DmiError, Value } from '@limpet/dmi';
import type { Share } from './broker.ts';
import type { Told } from './news.ts';
import type { Point } from './points.ts';
import type { Listener } from './topics.ts';
import type { Visitor } from './visitor.ts';

export interface Watched {
  readonly visitor: Visitor;
  /** Or why it can have none. */
  readonly point: Point | DmiError;
  /** What the device said last, or what is wrong with that; in place, as what is made anew for each message piles up. */
  value: Value | undefined;
  at: number | undefined;
  doubt: DmiError | undefined;
  fault: DmiError | undefined;
  /** When that came, in ms since 1970. */
  atMs: number;
  /** Whether the broker had kept it. */
  retained: boolean;
  /** Whether that was too long ago. */
  stale: boolean;
  /** Why the broker lets nobody listen. */
  refused: DmiError | undefined;
  /** The wishes of the subscription for it, and what they were told last. */
  indexes: readonly number[];
  told: Told | undefined;
}

interface Around {
  readonly share: Share;
  readonly hear: Listener;
  /** @throws Misconfigured */
  readonly pointOf: (visitor: Visitor) => Point;
}

/** Visitors that are remembered; beyond, those that are not asked for are forgotten. */
const MAX_WATCHED = 10_000;

export class WatchList {
  readonly #around: Around;
  readonly #watched = new Map<Visitor, Watched>();
  /** By topic, so that a message is looked at by those whose value may be in it. */
  readonly #onTopic = new Map<string, Set<Watched>>();

  constructor(around: Around) {
    this.#around = around;
  }

  get all(): Iterable<Watched> {
    return this.#watched.values();
  }

  on(topic: string): Iterable<Watched> {
    return this.#onTopic.get(topic) ?? [];
  }

  /** Listens to these; those that were not listened to before are `fresh`. @throws Unreachable, the signal's reason */
  async watch(
    visitors: readonly Visitor[],
    signal: AbortSignal,
  ): Promise<readonly { readonly watched: Watched; readonly fresh: boolean }[]> {
    if (this.#watched.size > MAX_WATCHED) this.forgetAllBut(visitors);
    const before = new Set(this.#watched.keys());
    const all = visitors.map((visitor) => ({
      watched: this.#watched.get(visitor) ?? this.#begin(visitor),
      fresh: !before.has(visitor),
    }));
    const topics = new Set<string>();
    for (const { watched, fresh } of all) {
      if (watched.point instanceof Error || !(fresh || watched.refused)) continue;
      for (const topic of topicsOf(watched.point)) topics.add(topic);
    }
    if (topics.size === 0) return all;
    const { share, hear } = this.#around;
    try {
      const refused = await share.listen([...topics], hear, signal);
      for (const { watched } of all) judge(watched, refused);
    } catch (error) {
      // Given up: the next call asks anew.
      this.#forget(all.filter(({ fresh }) => fresh).map(({ watched }) => watched));
      throw error;
    }
    return all;
  }

  forgetAllBut(visitors: readonly Visitor[]): void {
    const kept = new Set(visitors);
    this.#forget([...this.#watched.values()].filter(({ visitor }) => !kept.has(visitor)));
  }

  #begin(visitor: Visitor): Watched {
    const watched = silent(visitor, this.#pointOf(visitor));
    this.#watched.set(visitor, watched);
    if (watched.point instanceof Error) return watched;
    for (const topic of topicsOf(watched.point)) {
      const on = this.#onTopic.get(topic) ?? new Set();
      on.add(watched);
      this.#onTopic.set(topic, on);
    }
    return watched;
  }

  #pointOf(visitor: Visitor): Point | DmiError {
    try {
      return this.#around.pointOf(visitor);
    } catch (error) {
      return error as DmiError;
    }
  }

  #forget(all: readonly Watched[]): void {
    const silent: string[] = [];
    for (const watched of all) {
      this.#watched.delete(watched.visitor);
      if (watched.point instanceof Error) continue;
      for (const topic of topicsOf(watched.point)) {
        const on = this.#onTopic.get(topic);
        on?.delete(watched);
        if (on?.size !== 0) continue;
        this.#onTopic.delete(topic);
        silent.push(topic);
      }
    }
    if (silent.length > 0) this.#around.share.unlisten(silent, this.#around.hear);
  }
}

/** With all of its fields in the object itself: what is added later lies beside it. */
function silent(visitor: Visitor, point: Point | DmiError): Watched {
  return {
    visitor,
    point,
    value: undefined,
    at: undefined,
    doubt: undefined,
    fault: undefined,
    atMs: 0,
    retained: false,
    stale: false,
    refused: undefined,
    indexes: [],
    told: undefined,
  };
}

/** A property none of whose topics may be listened to has no value. */
function judge(watched: Watched, refused: ReadonlyMap<string, DmiError>): void {
  if (watched.point instanceof Error) return;
  const { sources } = watched.point;
  const errors = sources.flatMap(({ topic }) => refused.get(topic) ?? []);
  const [first] = errors;
  watched.refused = errors.length === sources.length ? first : undefined;
}

function topicsOf({ sources, command }: Point): readonly string[] {
  const response = command?.response === undefined ? [] : [command.response.topic];
  return [...sources.map(({ topic }) => topic), ...response];
}
