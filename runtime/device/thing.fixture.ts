/** For the tests of this folder: one device in memory, and how it is today. */
import { type Reading, Refused, type Sink, type Value } from '@limpet/dmi';

type Mood = 'well' | 'dead' | 'hung' | 'garbled' | 'buggy' | 'mute on writes';

/** One device as it is out there. */
export class Thing {
  readonly values = new Map<string, Value>();
  /** So many writes one request takes; without it, its connection writes one by one. */
  takes: number | undefined;
  /** Fewer writes than this in a request are refused as a whole, which the DMI forbids. */
  refusesBelow = 0;
  /** Keys whose writes are never answered. */
  readonly mute = new Set<string>();
  readonly refused = new Set<string>();
  /** Keys that are written with others, and answered with what is no value of theirs. */
  readonly nonsense = new Set<string>();
  mood: Mood = 'well';
  /** How long an answer, or its absence, takes. */
  answerMs = 5;
  /** So many of the next replies get lost, each after a second. */
  lostReplies = 0;
  /** What a write of this key leaves behind instead of the value. */
  readonly rounds = new Map<string, (value: Value) => Value>();
  /** A written value shows only after so many reads. */
  appliesLate = 0;
  connects = 0;
  open = 0;
  readonly writes: [string, Value][] = [];
  readonly readTimes: number[] = [];
  /** What this device tells by itself; without it, it knows no subscriptions. */
  tells: ReadonlySet<string> | 'refuses' | undefined;
  readonly subscriptions: Subscription[] = [];
  /** What its methods answer with, by key; without it, its connection has no methods. */
  methods: Readonly<Record<string, (input: readonly Value[]) => readonly Value[]>> | undefined;
  /** Methods that have begun. */
  readonly calls: [string, readonly Value[]][] = [];

  /** One of several writes in a request. */
  take(key: string, value: Value): Reading {
    this.writes.push([key, value]);
    if (this.refused.has(key)) return { ok: false, error: new Refused('PLANT_NO', 'no') };
    this.values.set(key, value);
    return { ok: true, value: this.nonsense.has(key) ? 'what?' : value };
  }

  /** Tells a reading of the latest subscription, whatever became of it. */
  tell(key: string, value: Value): void {
    const { wishes, sink } = this.subscriptions.at(-1) ?? {};
    this.values.set(key, value);
    sink?.reading(wishes?.indexOf(key) ?? -1, { ok: true, value });
  }
}

export interface Visitor {
  readonly key: string;
}

interface Subscription {
  /** The keys wished for, and how often. */
  readonly wishes: readonly string[];
  readonly everyMs: readonly number[];
  readonly sink: Sink;
  readonly signal: AbortSignal;
}
