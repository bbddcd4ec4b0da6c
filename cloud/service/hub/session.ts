/**
 * The cloud's half of one edge's connection, without the connection: it is told what arrived and says what to
 * send. It has no timers; it waits only for the store's commits.
 *
 * Invariants: `welcome` and `ack` are said only of what is on the disk; one desire page is in flight; once
 * closed or fenced, a session neither sends nor changes anything.
 */
import type { Log } from '@limpet/dmi';
import type { CallOutcome, NodeFacts } from '@limpet/dmi/manifest';
import { type Asked, type FromCloud, type FromEdge, PROTOCOL, type StateRow } from '#protocol';
import { StoreFailed } from '../store/errors.ts';
import type { Outcome } from '../store/group-commit.ts';
import type { CloudStore, Writing } from '../store/store.ts';
import { MAX_STRAYS } from '../store/mirrors.ts';
import type { Ignored } from './apply-report.ts';
import { type Asking, NodeAsks } from './asks.ts';
import { type CallAsked, type CallsOptions, NodeCalls } from './calls.ts';
import { type DesirePage, DesirePages } from './desire-pages.ts';
import { join, leave } from './presence.ts';
import type { Reports } from './reports.ts';

export interface CloudSessionOptions {
  readonly store: CloudStore;
  /** Where pages of state are written, together with those of others. */
  readonly reports: Reports;
  readonly log: Log;
  readonly send: (message: FromCloud) => void;
  /** Asked once. `code`: of the WebSocket. */
  readonly close: (code: number, reason: string) => void;
  /** This session now speaks for the node: fence the one that did. */
  readonly admit: (node: string) => void;
  /** Whether a session speaks for the node now. */
  readonly here: (node: string) => boolean;
  /** Ends calls that the edge does not answer. */
  readonly after: CallsOptions['after'];
  /** ms an edge is asked to wait when the cloud cannot write. Default 5 s. */
  readonly retryAfter?: () => number;
}

/** A database that was away is asked again after this long. */
const LEAVE_AGAIN_MS = 2000;

/** WebSocket close codes of ours. */
export const CLOSE = { fenced: 4001, refused: 4002, unable: 4003 } as const;

type Greeting = Extract<FromEdge, { readonly type: 'hello' }>;

interface Life {
  readonly node: string;
  readonly pages: DesirePages;
  /** Rows about undeclared devices that the edge may still leave. */
  strays: number;
  /** The desire page that is being read, or that the edge has not stored yet (its `to`). */
  paging: 'no' | 'reading' | { readonly inFlight: number };
  /** Something new came while a page was being read. */
  again: boolean;
  readonly calls: NodeCalls;
  readonly asks: NodeAsks;
  /** A report is being written. */
  reporting: boolean;
  /** History: not taken, awaited, or a page of it is being written. */
  past: 'no' | 'awaited' | 'writing';
}

type Phase =
  | { readonly kind: 'greeting' }
  | { readonly kind: 'joining'; readonly node: string }
  | { readonly kind: 'live'; readonly life: Life }
  | { readonly kind: 'closed' };

export class CloudSession {
  readonly #options: CloudSessionOptions;
  #phase: Phase = { kind: 'greeting' };
  readonly #ignored: Ignored = { foreign: 0, unknown: 0, invalid: 0 };

  constructor(options: CloudSessionOptions) {
    this.#options = options;
  }

  /** Rows that were not taken so far, by reason. */
  ignored(): Readonly<Ignored> {
    return this.#ignored;
  }

  /** Whether the edge has been welcomed. */
  live(): boolean {
    return this.#phase.kind === 'live';
  }

  /** A message arrived, already checked. */
  received(message: FromEdge): void {
    const phase = this.#phase;
    if (phase.kind === 'closed') return;
    if (message.type === 'hello') {
      if (phase.kind === 'greeting') this.#hello(message);
      else this.refuse('SYNC_CONFUSED', 'a second `hello` in one conversation');
      return;
    }
    if (phase.kind !== 'live') {
      this.refuse('SYNC_CONFUSED', `a \`${message.type}\` before \`welcome\``);
      return;
    }
    switch (message.type) {
      case 'report':
        return this.#report(phase.life, message.to, message.rows);
      case 'past':
        return this.#past(phase.life, message);
      case 'stored':
        return this.#stored(phase.life, message.rev);
      case 'facts':
        return this.#facts(phase.life, message.facts);
      case 'called':
        return phase.life.calls.called(message.id, message.outcome);
      case 'answer':
        return phase.life.asks.answered(message.id, message.told);
    }
  }

  /** Runs a method of a device of this node; `undefined` when the node is not there yet. */
  call(asked: CallAsked, signal: AbortSignal): Promise<CallOutcome> | undefined {
    return this.#phase.kind === 'live' ? this.#phase.life.calls.call(asked, signal) : undefined;
  }

  /** Asks the node what only it knows; `undefined` when it is not there yet. */
  ask(about: Asked, signal: AbortSignal): Promise<Asking> | undefined {
    return this.#phase.kind === 'live' ? this.#phase.life.asks.ask(about, signal) : undefined;
  }

  /** There may be something new for this node. Safe to call any number of times. */
  wantedChanged(): void {
    if (this.#phase.kind !== 'live') return;
    const { life } = this.#phase;
    life.again = true;
    if (life.paging === 'no') void this.#page(life);
  }

  /** The connection is gone. */
  closed(): void {
    const phase = this.#phase;
    this.#phase = { kind: 'closed' };
    if (phase.kind !== 'joining' && phase.kind !== 'live') return;
    if (phase.kind === 'live') giveUp(phase.life);
    this.#leave(phase.kind === 'live' ? phase.life.node : phase.node);
  }

  /** Until it is on disk that the node is away, or the node is back. */
  #leave(node: string, tried = false): void {
    const { store, log, after, here } = this.#options;
    store.commit.add(
      async (tx) => {
        if (!here(node)) await leave(tx, node);
      },
      (outcome) => {
        if (outcome.ok) return;
        if (!tried) log.warn('node left unrecorded', { node, error: outcome.error });
        const passing =
          outcome.error instanceof StoreFailed && outcome.error.code !== 'STORE_CLOSED';
        if (passing) after(LEAVE_AGAIN_MS, () => here(node) || this.#leave(node, true));
      },
    );
  }

  /** Another connection speaks for the node now. */
  fence(): void {
    if (this.#phase.kind === 'closed') return;
    if (this.#phase.kind === 'live') giveUp(this.#phase.life);
    this.#phase = { kind: 'closed' };
    const message = 'Another connection with this node name took over. Is the name used twice?';
    this.#options.send({ type: 'refuse', code: 'SYNC_FENCED', message });
    this.#options.close(CLOSE.fenced, 'fenced');
  }

  /** Ends the conversation with a reason. */
  refuse(code: string, message: string, retryAfter?: number): void {
    if (this.#phase.kind === 'closed') return;
    const hint = retryAfter === undefined ? {} : { retryAfter };
    this.#options.send({ type: 'refuse', code, message, ...hint });
    this.closed();
    this.#options.close(retryAfter === undefined ? CLOSE.refused : CLOSE.unable, code);
  }

  #hello(hello: Greeting): void {
    const { store, admit } = this.#options;
    const { node } = hello;
    // The type says 1; what an edge of another version sends is any number.
    const spoken: number = hello.protocol;
    if (spoken !== PROTOCOL) {
      const older = spoken < PROTOCOL ? 'edge' : 'cloud service';
      const message = `The edge speaks protocol ${spoken}, this cloud ${PROTOCOL}: update the ${older}.`;
      return this.refuse('SYNC_PROTOCOL', message);
    }
    admit(node);
    const { send, after } = this.#options;
    const offers = (what: string): boolean => hello.offers?.some((each) => each === what) === true;
    const calls = new NodeCalls({ node, send, after, offered: offers('call') });
    const asks = new NodeAsks({ node, send, after, offered: offers('ask') });
    this.#phase = { kind: 'joining', node };
    const told = hello.offers?.includes('past') === true;
    store.commit.add(
      async (tx) => {
        const joined = await join(tx, hello);
        if (!told || !tx.past) return { ...joined, past: undefined };
        return { ...joined, past: (await tx.past.cursor(node)) ?? null };
      },
      (outcome) => {
        if (this.#phase.kind !== 'joining') return;
        if (!outcome.ok) return this.#unable(outcome.error);
        const { seq, cursor, strays, past } = outcome.value;
        const pages = new DesirePages(store, node, cursor);
        const life = { node, calls, asks, pages, strays: MAX_STRAYS - strays };
        const begun = { paging: 'no', again: false, reporting: false } as const;
        const awaited = past === undefined ? 'no' : 'awaited';
        this.#phase = { kind: 'live', life: { ...life, ...begun, past: awaited } };
        this.#options.send({ type: 'welcome', seq, ...(past !== undefined && { past }) });
        this.wantedChanged();
      },
    );
  }

  async #page(life: Life): Promise<void> {
    life.paging = 'reading';
    try {
      let page: DesirePage | undefined;
      while (life.again && page === undefined) {
        life.again = false;
        page = await life.pages.next();
      }
      if (this.#phase.kind !== 'live') return;
      life.paging = page === undefined ? 'no' : { inFlight: page.to };
      if (page) this.#options.send({ type: 'desire', to: page.to, rows: page.rows });
    } catch (error) {
      this.#unable(error);
    }
  }

  #report(life: Life, to: number, rows: readonly StateRow[]): void {
    if (life.reporting) {
      return this.refuse('SYNC_CONFUSED', 'a `report` before the last one was acknowledged');
    }
    life.reporting = true;
    const { reports, send } = this.#options;
    const { node, strays } = life;
    reports.add({
      page: { node, rows, to, strays },
      live: () => this.#phase.kind === 'live',
      settled: (outcome) => {
        if (this.#phase.kind !== 'live') return;
        if (!outcome.ok) return this.#unable(outcome.error);
        life.reporting = false;
        life.strays = outcome.value.strays;
        send({ type: 'ack', seq: to });
        this.#count(node, outcome.value.ignored);
      },
    });
  }

  #past(life: Life, { run, n, series }: Extract<FromEdge, { readonly type: 'past' }>): void {
    if (life.past !== 'awaited') {
      return this.refuse('SYNC_CONFUSED', 'a `past` that was not waited for');
    }
    life.past = 'writing';
    const { store, send, log } = this.#options;
    store.commit.add(
      // What this conversation says must not be written after another began.
      async ({ past }) => {
        if (this.#phase.kind !== 'live') return undefined;
        return past?.take(life.node, { run, n, series });
      },
      (outcome) => {
        if (this.#phase.kind !== 'live') return;
        if (!outcome.ok) return this.#unable(outcome.error);
        life.past = 'awaited';
        send({ type: 'pastAck', n });
        const { unknown = 0, late = 0 } = outcome.value ?? {};
        if (unknown + late > 0) log.debug('history not taken', { node: life.node, unknown, late });
      },
    );
  }

  #stored(life: Life, rev: number): void {
    if (typeof life.paging !== 'object' || life.paging.inFlight !== rev) {
      return this.refuse('SYNC_CONFUSED', `a \`stored\` of ${rev}, which is not in flight`);
    }
    life.paging = 'no';
    this.#write(async ({ nodes, tombstones, mirrors, now }) => {
      await nodes.stored(life.node, rev, now());
      for (const id of await tombstones.passed(life.node, rev)) {
        await mirrors.dropStrays(id, life.node);
      }
    });
    this.wantedChanged();
  }

  #facts(life: Life, facts: NodeFacts): void {
    this.#write(async ({ nodes, wanted, now }) => {
      const node = await nodes.get(life.node);
      if (node === undefined) return;
      await nodes.put({ ...node, facts, lastSeen: now() });
      await wanted.observed(life.node);
    });
  }

  /** Whatever the disk refuses, the edge keeps: the conversation ends and it comes back later. */
  #write(work: (tx: Writing) => Promise<void>): void {
    this.#options.store.commit.add(work, (outcome: Outcome<void>) => {
      if (this.#phase.kind !== 'closed' && !outcome.ok) this.#unable(outcome.error);
    });
  }

  #unable(error: unknown): void {
    const { log, retryAfter } = this.#options;
    log.warn('node sent away', { error });
    const message = 'The cloud cannot write to its disk now; nothing of this page was kept.';
    this.refuse('SYNC_CLOUD_UNABLE', message, retryAfter?.() ?? 5000);
  }

  /** Told once per conversation and reason; counted always. */
  #count(node: string, ignored: Ignored): void {
    for (const reason of ['foreign', 'unknown', 'invalid'] as const) {
      const more = ignored[reason];
      if (more > 0 && this.#ignored[reason] === 0) {
        this.#options.log.warn('rows of a node ignored', { node, reason, rows: more });
      }
      this.#ignored[reason] += more;
    }
  }
}

/** Nobody at the node answers any more. */
function giveUp({ calls, asks }: Life): void {
  calls.end();
  asks.end();
}
