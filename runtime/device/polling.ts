/** The polled properties of one open device: reads what is due, in batches, and notices what could not be read. */
import { type Reading } from '@limpet/dmi';
import { ask, type Conversation } from './conversation.ts';
import { OverdueWatch } from './overdue.ts';
import { type PlannedProperty } from './plan.ts';
import { type Batch, Rounds } from './rounds.ts';
import { nextDue, type Schedule, schedule, take, type Timed } from './schedule.ts';

export class Polling {
  readonly #talk: Conversation;
  readonly #overdue: OverdueWatch;
  #schedule: Schedule = [];
  #rounds = new Rounds([]);
  #fresh = false;
  #properties: readonly PlannedProperty[] = [];
  /** Cycles that went by unread. */
  missed = 0;

  constructor(talk: Conversation) {
    this.#talk = talk;
    this.#overdue = new OverdueWatch(talk.clock, talk.reporter);
  }

  /** Something has not been read yet. */
  get fresh(): boolean {
    return this.#fresh;
  }

  /** When {@link round} is due, on the monotonic clock. */
  get nextMs(): number {
    return nextDue(this.#schedule);
  }

  /** From now on these, and no others: all at once, then each at its rate. */
  begin(properties: readonly PlannedProperty[], random: () => number): void {
    const now = this.#talk.clock.monotonic();
    this.#schedule = schedule(properties, now - spread(properties, random));
    this.#rounds = new Rounds(properties);
    this.#properties = properties;
    this.#fresh = properties.length > 0;
    this.#overdue.start(properties);
  }

  /** Reads what is due. */
  async round(): Promise<void> {
    const { clock, reporter, answered, wanted } = this.#talk;
    const { periods, missed, schedule: after } = take(this.#schedule, clock.monotonic());
    this.#schedule = after;
    this.missed += missed;
    if (periods.length === 0) return;
    for (const batch of this.#rounds.of(periods)) {
      const readings = await this.#read(batch);
      // These answers are to questions no longer asked.
      if (!wanted()) return;
      answered();
      reporter.readings(batch.asked, readings);
      this.#overdue.read(batch.asked);
    }
    this.#fresh = false;
  }

  get properties(): readonly PlannedProperty[] {
    return this.#properties;
  }

  /** When this one is read next, on the monotonic clock; `undefined` when it is not polled. */
  nextOf(planned: PlannedProperty): number | undefined {
    if (!this.#properties.includes(planned)) return undefined;
    return this.#schedule.find(({ everyMs }) => everyMs === planned.everyMs)?.nextMs;
  }

  stop(): void {
    this.#overdue.stop();
  }

  async #read({ visitors }: Batch): Promise<readonly Reading[]> {
    const asked = { what: 'read', properties: visitors.length };
    const readings = await ask(this.#talk, asked, (connection, signal) =>
      connection.read(visitors, signal),
    );
    if (readings.length === visitors.length) return readings;
    throw new Error(`the mapper gave ${readings.length} readings for ${visitors.length} visitors`);
  }
}

/**
 * Everything is read at once, then in a phase of its own: the devices of a node start together, and would be polled
 * in the same millisecond for ever.
 */
function spread(timed: readonly Timed[], random: () => number): number {
  const shortest = timed.reduce((least, { everyMs }) => Math.min(least, everyMs), Infinity);
  return timed.length === 0 ? 0 : Math.floor(random() * shortest);
}
