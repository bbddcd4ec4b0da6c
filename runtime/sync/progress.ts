/**
 * When rows were sent, and when the cloud had them: marks along the `seq` of this epoch. When there are too many,
 * every second one of the older half goes, so that times of long ago are known less exactly, and never too early.
 */
import type { Clock } from '@limpet/dmi';

/** Everything up to `seq` was sent, and was on the cloud's disk, by then. ms since 1970. */
interface Mark {
  readonly seq: number;
  /** Absent when that was before this conversation. */
  readonly sent?: number;
  readonly acked: number;
}

const MARKS = 64;

export class Progress {
  readonly #clock: Pick<Clock, 'now'>;
  #marks: Mark[] = [];
  #flying: { readonly seq: number; readonly sent: number } | undefined;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** The page that is on its way: everything up to `seq`, since when. */
  get flying(): { readonly seq: number; readonly sent: number } | undefined {
    return this.#flying;
  }

  /** A new conversation: the cloud has everything up to `seq`, and nothing above. */
  welcomed(seq: number): void {
    this.#flying = undefined;
    this.#marks = this.#marks.filter((mark) => mark.seq <= seq);
    if (seq > (this.#marks.at(-1)?.seq ?? 0)) this.#keep({ seq, acked: this.#clock.now() });
  }

  sent(seq: number): void {
    this.#flying = { seq, sent: this.#clock.now() };
  }

  acked(seq: number): void {
    const sent = this.#flying?.sent;
    this.#flying = undefined;
    this.#keep({ seq, ...(sent !== undefined && { sent }), acked: this.#clock.now() });
  }

  /** By when a row that was acknowledged was sent and acknowledged, as exactly as is still known. */
  of(seq: number): { readonly sent?: number; readonly acked?: number } {
    const mark = this.#marks.find((each) => each.seq >= seq);
    if (mark !== undefined) return mark;
    return this.#flying !== undefined && seq <= this.#flying.seq ? { sent: this.#flying.sent } : {};
  }

  #keep(mark: Mark): void {
    this.#marks.push(mark);
    if (this.#marks.length <= MARKS) return;
    this.#marks = this.#marks.filter((_, index) => index >= MARKS / 2 || index % 2 === 1);
  }
}
