/**
 * The cloud's half of one edge's connection, without the connection: it is told what arrived and says what to
 * send. It has no timers; it waits only for the store's commits.
 *
 * Invariants: `welcome` and `ack` are said only of what is on the disk; one desire page is in flight; once
 * closed or fenced, a session neither sends nor changes anything.
 */
import type { Log } from '@limpet/dmi';
import type { CallOutcome, NodeFacts } from '@limpet/dmi/manifest';
import { type FromCloud, type FromEdge, PROTOCOL, type StateRow } from '#protocol';
import type { Outcome } from '../store/group-commit.ts';
import type { CloudStore } from '../store/store.ts';
import { type Ignored, MAX_STRAYS, ReportPage } from './apply-report.ts';
import { type CallAsked, type CallsOptions, NodeCalls } from './calls.ts';
import { DesirePages } from './desire-pages.ts';
import { join, leave } from './presence.ts';

export interface CloudSessionOptions {
  readonly store: CloudStore;
  readonly log: Log;
  readonly send: (message: FromCloud) => void;
  /** Asked once. `code`: of the WebSocket. */
  readonly close: (code: number, reason: string) => void;
  /** This session now speaks for the node: fence the one that did. */
  readonly admit: (node: string) => void;
  /** Ends calls that the edge does not answer. */
  readonly after: CallsOptions['after'];
  /** ms an edge is asked to wait when the cloud cannot write. Default 5 s. */
  readonly retryAfter?: () => number;
}

/** WebSocket close codes of ours. */
export const CLOSE = { fenced: 4001, refused: 4002, unable: 4003 } as const;

type Greeting = Extract<FromEdge, { readonly type: 'hello' }>;

interface Life {
  readonly node: string;
  readonly epoch: string;
  readonly pages: DesirePages;
  /** Rows about undeclared devices that the edge may still leave. */
  strays: number;
  /** `to` of the desire page that the edge has not stored yet. */
  inFlight: number | undefined;
  readonly calls: NodeCalls;
  /** A report is being written. */
  reporting: boolean;
}

type Phase =
  | { readonly kind: 'greeting' }
  | { readonly kind: 'joining'; readonly node: string; readonly epoch: string }
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
        return this.refuse('SYNC_CONFUSED', 'a `past` that was not asked for');
      case 'stored':
        return this.#stored(phase.life, message.rev);
      case 'facts':
        return this.#facts(phase.life, message.facts);
      case 'called':
        return phase.life.calls.called(message.id, message.outcome);
    }
  }

  /** Runs a method of a device of this node; `undefined` when the node is not there yet. */
  call(asked: CallAsked, signal: AbortSignal): Promise<CallOutcome> | undefined {
    return this.#phase.kind === 'live' ? this.#phase.life.calls.call(asked, signal) : undefined;
  }

  /** There may be something new for this node. Safe to call any number of times. */
  wantedChanged(): void {
    if (this.#phase.kind !== 'live') return;
    const { life } = this.#phase;
    if (life.inFlight !== undefined) return;
    const page = life.pages.next();
    if (page === undefined) return;
    life.inFlight = page.to;
    this.#options.send({ type: 'desire', to: page.to, rows: page.rows });
  }

  /** The connection is gone. */
  closed(): void {
    const phase = this.#phase;
    this.#phase = { kind: 'closed' };
    if (phase.kind !== 'joining' && phase.kind !== 'live') return;
    if (phase.kind === 'live') phase.life.calls.end();
    const { node, epoch } = phase.kind === 'live' ? phase.life : phase;
    const { store, log } = this.#options;
    store.commit.add(
      () => leave(store, node, epoch),
      (outcome) => {
        if (!outcome.ok) log.warn('node left unrecorded', { node, error: outcome.error });
      },
    );
  }

  /** Another connection speaks for the node now. */
  fence(): void {
    if (this.#phase.kind === 'closed') return;
    if (this.#phase.kind === 'live') this.#phase.life.calls.end();
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
    const { node, epoch } = hello;
    // The type says 1; what an edge of another version sends is any number.
    const spoken: number = hello.protocol;
    if (spoken !== PROTOCOL) {
      const older = spoken < PROTOCOL ? 'edge' : 'cloud service';
      const message = `The edge speaks protocol ${spoken}, this cloud ${PROTOCOL}: update the ${older}.`;
      return this.refuse('SYNC_PROTOCOL', message);
    }
    admit(node);
    const { send, after } = this.#options;
    const offered = hello.offers?.includes('call') === true;
    const calls = new NodeCalls({ node, send, after, offered });
    this.#phase = { kind: 'joining', node, epoch };
    store.commit.add(
      () => join(store, hello),
      (outcome) => {
        if (this.#phase.kind !== 'joining') return;
        if (!outcome.ok) return this.#unable(outcome.error);
        const { seq, cursor, strays } = outcome.value;
        const pages = new DesirePages(store, node, cursor);
        const life = { node, epoch, calls, pages, inFlight: undefined, reporting: false };
        this.#phase = { kind: 'live', life: { ...life, strays: MAX_STRAYS - strays } };
        this.#options.send({ type: 'welcome', seq });
        this.wantedChanged();
      },
    );
  }

  #report(life: Life, to: number, rows: readonly StateRow[]): void {
    if (life.reporting) {
      return this.refuse('SYNC_CONFUSED', 'a `report` before the last one was acknowledged');
    }
    life.reporting = true;
    const { store } = this.#options;
    this.#write(
      () => {
        const page = new ReportPage(store, life.node, life.strays);
        const strays = page.apply(rows);
        store.nodes.progress(life.node, to, store.now());
        return { strays, ignored: page.ignored };
      },
      ({ strays, ignored }) => {
        life.reporting = false;
        life.strays = strays;
        this.#options.send({ type: 'ack', seq: to });
        this.#count(life.node, ignored);
      },
    );
  }

  #stored(life: Life, rev: number): void {
    if (life.inFlight !== rev) {
      return this.refuse('SYNC_CONFUSED', `a \`stored\` of ${rev}, which is not in flight`);
    }
    life.inFlight = undefined;
    const { store } = this.#options;
    this.#write(
      () => {
        store.nodes.stored(life.node, rev, store.now());
        for (const id of store.tombstones.passed(life.node, rev)) {
          store.mirrors.dropStrays(id, life.node);
        }
      },
      () => undefined,
    );
    this.wantedChanged();
  }

  #facts(life: Life, facts: NodeFacts): void {
    const { store } = this.#options;
    this.#write(
      () => {
        const node = store.nodes.get(life.node);
        if (node === undefined) return;
        store.nodes.put({ ...node, facts, lastSeen: store.now() });
        store.wanted.observed('Node', life.node);
      },
      () => undefined,
    );
  }

  /** Whatever the disk refuses, the edge keeps: the conversation ends and it comes back later. */
  #write<T>(work: () => T, done: (value: T) => void): void {
    this.#options.store.commit.add(work, (outcome: Outcome<T>) => {
      if (this.#phase.kind === 'closed') return;
      if (outcome.ok) done(outcome.value);
      else this.#unable(outcome.error);
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
