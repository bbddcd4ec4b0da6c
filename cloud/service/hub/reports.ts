/**
 * Gathers the pages that all edges report while the database is busy, and has them written together: a thousand small pages
 * cost about as much as one large one. What waits is bounded by its senders: each has one page in flight.
 */
import { StoreFailed } from '../store/errors.ts';
import type { Outcome } from '../store/group-commit.ts';
import type { CloudStore } from '../store/store.ts';
import { applyReports, type PageTaken, type ReportPage } from './apply-report.ts';

interface Waiting {
  readonly page: ReportPage;
  /** The conversation goes on: what it said before another began must not be written after that. */
  readonly live: () => boolean;
  readonly settled: (outcome: Outcome<PageTaken>) => void;
}

/** In one piece of work: a few milliseconds. */
const MAX_ROWS = 60;

export class Reports {
  readonly #store: Pick<CloudStore, 'commit'>;
  readonly #waiting: Waiting[] = [];
  #scheduled = false;
  #pages = 0;
  #rows = 0;

  constructor(store: Pick<CloudStore, 'commit'>) {
    this.#store = store;
  }

  /** Pages and rows that are on disk since the start, and pages that wait. */
  counts(): { readonly pages: number; readonly rows: number; readonly waiting: number } {
    return { pages: this.#pages, rows: this.#rows, waiting: this.#waiting.length };
  }

  /** `settled` is called once the page is on disk, or with why it is not; not at all when its conversation has ended. */
  add(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    let taken: readonly Waiting[] = [];
    this.#store.commit.add(
      async (tx) => {
        if (taken.length === 0) taken = this.#take();
        this.#schedule();
        return applyReports(tx, pagesOf(taken));
      },
      (outcome) => {
        // Refused before it ran: nothing was taken yet.
        if (!outcome.ok && taken.length === 0) taken = this.#take();
        this.#settle(taken, outcome);
        this.#schedule();
      },
    );
  }

  #take(): readonly Waiting[] {
    this.#scheduled = false;
    let rows = 0;
    const full = this.#waiting.findIndex(({ page }) => (rows += page.rows.length) > MAX_ROWS);
    const taken = this.#waiting.splice(0, full === -1 ? this.#waiting.length : Math.max(full, 1));
    return taken.filter(({ live }) => live());
  }

  #settle(taken: readonly Waiting[], outcome: Outcome<readonly PageTaken[]>): void {
    if (outcome.ok) {
      for (const [index, { settled, page }] of taken.entries()) {
        const value = outcome.value[index];
        this.#pages += 1;
        this.#rows += page.rows.length;
        if (value) settled({ ok: true, value });
      }
      return;
    }
    // One page may spoil it for all: each is tried by itself.
    const alone = taken.length === 1 || outcome.error instanceof StoreFailed;
    for (const each of taken) {
      if (alone) each.settled(outcome);
      else this.#alone(each);
    }
  }

  #alone(waiting: Waiting): void {
    this.#store.commit.add(
      (tx) => applyReports(tx, pagesOf(waiting.live() ? [waiting] : [])),
      (outcome) => this.#settle(waiting.live() ? [waiting] : [], outcome),
    );
  }
}

function pagesOf(waiting: readonly Waiting[]): readonly ReportPage[] {
  return waiting.map(({ page }) => page);
}
