/** Feeds one reader from its `WatchEvents`: as fast as it reads, and no faster. */
import type { ServerResponse } from 'node:http';
import type { Clock } from '@limpet/dmi';
import type { Answer } from './answer.ts';
import type { ApiError } from './status.ts';
import type { WatchEvent, WatchEvents } from './watch-events.ts';

interface WatchTimes {
  /** How often an idle reader hears how far it is. */
  readonly bookmarkMs: number;
  /** A reader that takes nothing for this long is cut off. */
  readonly stallMs: number;
}

export interface WatchFeedOptions {
  readonly answer: Answer;
  readonly clock: Clock;
  readonly times: WatchTimes;
  readonly bookmarks: boolean;
  /** The first bookmark says that everything there was has been sent. */
  readonly marksInitial: boolean;
  /** How an event shows its object. */
  readonly show: (object: WatchEvent['object']) => unknown;
  readonly timeoutMs: number;
  /** Says what to tell the reader when composing an event fails. */
  readonly failure: (error: unknown) => ApiError;
}

/** How Kubernetes says that the events before this bookmark were a list. */
const INITIAL_END = { 'k8s.io/initial-events-end': 'true' };

/** How often a watch looks for room that other readers take. */
const ROOM_LOOK_MS = 250;

/** One open watch response. */
export class WatchFeed {
  readonly #options: WatchFeedOptions;
  readonly #response: ServerResponse;
  #events: WatchEvents | undefined;
  #state: 'idle' | 'scheduled' | 'saying' | 'blocked' | 'ended' = 'idle';
  /** Something may have changed since the last look. */
  #woken = false;
  #bookmarkOwed: boolean;
  /** What the next bookmark says beside its version. */
  #marks: Readonly<Record<string, string>> | undefined;
  #stop: (() => void) | undefined;
  #cancelStall: (() => void) | undefined;
  #cancelBookmark: (() => void) | undefined;
  #cancelTimeout: (() => void) | undefined;
  #cancelWait: (() => void) | undefined;
  /** Tells that the reader has taken what it was sent. */
  #taken: (() => void) | undefined;

  constructor(options: WatchFeedOptions) {
    this.#options = options;
    this.#response = options.answer.response;
    // The first one, once everything present has been sent, tells the reader that it has it all.
    this.#bookmarkOwed = options.bookmarks;
    this.#marks = options.marksInitial ? INITIAL_END : undefined;
  }

  /** Runs until the reader goes, the time is up, or `end`. `stop` is called when nothing more is said. */
  start(events: WatchEvents, stop: () => void): void {
    this.#events = events;
    this.#stop = stop;
    this.#options.answer.begin();
    this.#response.on('drain', () => this.#drained()).on('close', () => this.#release());
    const { clock, timeoutMs } = this.#options;
    this.#cancelTimeout = clock.after(timeoutMs, () => this.end());
    this.#scheduleBookmark();
    this.#schedule();
  }

  /** Something may have changed. Cheap, and safe at any time. */
  wake(): void {
    this.#woken = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#state !== 'idle' || this.#events === undefined) return;
    this.#state = 'scheduled';
    // Not in the turn of the change: all changes of one commit make one round, and writers do not wait.
    setImmediate(() => void this.#pump());
  }

  /** Ends the response; a reader that does not take the rest is cut off. */
  end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#cancelBookmark?.();
    this.#response.end();
    const { clock, times } = this.#options;
    this.#cancelStall ??= clock.after(times.stallMs, () => this.#response.destroy());
    this.#stop?.();
  }

  /** Never rejects. */
  async #pump(): Promise<void> {
    if (this.#state !== 'scheduled' || this.#events === undefined) return;
    this.#state = 'saying';
    try {
      await this.#say(this.#events);
    } catch (error) {
      if (!this.#saying()) return;
      const object = this.#options.failure(error).toStatus();
      this.#response.write(`${JSON.stringify({ type: 'ERROR', object })}\n`);
      this.end();
    }
  }

  async #say(events: WatchEvents): Promise<void> {
    while (this.#sayRead(events)) {
      if (!events.behind) {
        if (!this.#sayBookmark(events)) return;
        if (!this.#woken) {
          this.#state = 'idle';
          return;
        }
      }
      this.#woken = false;
      await events.read();
      if (!this.#saying()) return;
    }
  }

  #saying(): boolean {
    return this.#state === 'saying';
  }

  /** Writes what has been read; false when the rest has to wait. */
  #sayRead(events: WatchEvents): boolean {
    for (;;) {
      if (!this.#options.answer.hasRoom()) {
        this.#waitForRoom();
        break;
      }
      const event = events.take();
      if (event === undefined) return true;
      if (!this.#write(event)) break;
    }
    events.release();
    return false;
  }

  #sayBookmark(events: WatchEvents): boolean {
    const bookmark = this.#bookmarkOwed ? events.bookmark(this.#marks) : undefined;
    if (bookmark === undefined) return true;
    this.#bookmarkOwed = false;
    this.#marks = undefined;
    return this.#write(bookmark);
  }

  /** What others leave unread fills the memory for all: the event is read again when there is room, and is then the latest. */
  #waitForRoom(): void {
    this.#state = 'scheduled';
    const { clock } = this.#options;
    this.#cancelWait = clock.after(ROOM_LOOK_MS, () => void this.#pump());
  }

  #write({ type, object }: WatchEvent): boolean {
    const line = `${JSON.stringify({ type, object: this.#options.show(object) })}\n`;
    if (this.#response.write(line)) return true;
    this.#state = 'blocked';
    const { answer, clock, times } = this.#options;
    this.#taken = answer.wrote(line);
    this.#cancelStall = clock.after(times.stallMs, () => this.#response.destroy());
    return false;
  }

  #drained(): void {
    if (this.#state !== 'blocked') return;
    this.#taken?.();
    this.#cancelStall?.();
    this.#cancelStall = undefined;
    this.#state = 'idle';
    this.#schedule();
  }

  /** One at most is owed, however slow the reader: it says how far the reader is when it is sent. */
  #scheduleBookmark(): void {
    const { clock, times, bookmarks } = this.#options;
    if (!bookmarks) return;
    this.#cancelBookmark = clock.after(times.bookmarkMs, () => {
      this.#bookmarkOwed = true;
      this.wake();
      this.#scheduleBookmark();
    });
  }

  #release(): void {
    this.#state = 'ended';
    this.#cancelStall?.();
    this.#cancelWait?.();
    this.#cancelBookmark?.();
    this.#cancelTimeout?.();
    this.#stop?.();
  }
}
