/**
 * The edge's half of one cloud connection, without the connection: it is told what arrived and says what to
 * send. It lives as long as its socket; nothing in it outlives a disconnect, because everything worth
 * keeping is in the twin store.
 *
 * Invariants: nothing is reported before `welcome`; at most one page is in flight; `stored` is said only after
 * the store has returned from a durable merge; once closed, a session neither sends nor changes the store.
 */
import {
  type FromCloud,
  type FromEdge,
  type PastCursor,
  PROTOCOL,
  type StateRow,
  type WantedRow,
} from '#protocol';
import type { CallDoor, NodeFacts } from '@limpet/dmi/manifest';
import { type AskedDoors, toldOf } from './asked.ts';
import { RelayedCalls } from './calls.ts';
import { PastStream, type SyncedPast } from './past.ts';
import type { Progress } from './progress.ts';

/** The part of the twin store a session needs. */
export interface SyncedTwins {
  readonly epoch: string;
  /** The edge's cursor in the cloud's stream of wanted things. */
  rev(): number;
  /** The highest `seq` given out in this epoch. */
  seq(): number;
  /** Current rows above `seq`, oldest first, at least one if there is any. */
  rowsAfter(
    seq: number,
    limit: { readonly rows: number; readonly bytes: number },
  ): readonly StateRow[];
  /** Returns once the rows are on disk; throws when they are not. */
  mergeWanted(rows: readonly WantedRow[], to: number): void;
  acknowledged(seq: number): void;
  resumeFrom(seq: number): void;
}

/** Why a session ended. `own`: this side ended it; `refused`: the cloud said so. */
export interface SessionEnd {
  readonly kind: 'own' | 'refused';
  readonly code: string;
  readonly message: string;
  readonly retryAfter?: number;
  readonly cause?: unknown;
}

export interface SessionOptions {
  readonly node: string;
  readonly twins: SyncedTwins;
  readonly send: (message: FromEdge) => void;
  /** Runs methods of this node's devices. */
  readonly call?: CallDoor | undefined;
  /** Tells what the cloud asks. */
  readonly asked?: AskedDoors | undefined;
  /** What was, for a cloud that takes it; with a monotonic clock that paces it. */
  readonly past?: { readonly of: SyncedPast; readonly monotonic: () => number } | undefined;
  /** Asked once, when the conversation cannot go on. */
  readonly close: (end: SessionEnd) => void;
  /** The cloud has taken this node. */
  readonly welcomed?: () => void;
  /** Takes note of what went and what was acknowledged. */
  readonly progress?: Pick<Progress, 'sent' | 'acked' | 'welcomed'>;
}

/** One page: small enough for a slow link and for the cloud's memory. */
const PAGE = { rows: 500, bytes: 256 * 1024 };
/** A full disk may have room again soon, and until then readings go up with each try: a steady pace. */
const NOT_STORED_RETRY_MS = 15_000;

type Phase =
  | { readonly kind: 'opening' }
  | { readonly kind: 'greeting' }
  /** `acked`: what the cloud has on disk; `inFlight`: the `to` of the page on its way. */
  | { readonly kind: 'live'; readonly acked: number; readonly inFlight?: number }
  | { readonly kind: 'closed' };

/** The edge's half of one conversation with the cloud. */
export class SyncSession {
  readonly #options: SessionOptions;
  readonly #calls: RelayedCalls | undefined;
  #past: PastStream | undefined;
  #phase: Phase = { kind: 'opening' };

  constructor(options: SessionOptions) {
    const { call, send } = options;
    this.#options = options;
    this.#calls = call && new RelayedCalls(call, (message) => this.#live(() => send(message)));
  }

  /** The socket is open. */
  opened(facts: NodeFacts): void {
    if (this.#phase.kind !== 'opening') return;
    this.#phase = { kind: 'greeting' };
    const { node, twins, send } = this.#options;
    const { epoch } = twins;
    const able = [
      ...(this.#calls === undefined ? [] : (['call'] as const)),
      ...(this.#options.past === undefined ? [] : (['past'] as const)),
      ...(this.#options.asked === undefined ? [] : (['ask'] as const)),
    ];
    const offers = able.length === 0 ? {} : { offers: able };
    send({ type: 'hello', protocol: PROTOCOL, node, epoch, rev: twins.rev(), facts, ...offers });
  }

  /** A message arrived, already checked by `readFromCloud`. */
  received(message: FromCloud): void {
    if (this.#phase.kind === 'closed') return;
    switch (message.type) {
      case 'welcome':
        return this.#welcome(message);
      case 'pastAck':
        return this.#pastAck(message.n);
      case 'ack':
        return this.#ack(message.seq);
      case 'desire':
        return this.#desire(message.rows, message.to);
      case 'call':
        return this.#live(() => void this.#calls?.call(message));
      case 'ask':
        return this.#live(() => this.#tell(message));
      case 'uncall':
        return this.#calls?.cancel(message.id);
      case 'refuse': {
        const { code, retryAfter } = message;
        const end = { kind: 'refused', code, message: message.message } as const;
        return this.#end(retryAfter === undefined ? end : { ...end, retryAfter });
      }
    }
  }

  /** The store has something new. Safe to call any number of times. */
  changed(): void {
    const phase = this.#phase;
    if (phase.kind !== 'live' || phase.inFlight !== undefined) return;
    const rows = this.#options.twins.rowsAfter(phase.acked, PAGE);
    const last = rows.at(-1);
    // What was waits for what is.
    if (last === undefined) return this.#past?.next();
    this.#phase = { ...phase, inFlight: last.seq };
    this.#options.progress?.sent(last.seq);
    this.#options.send({ type: 'report', to: last.seq, rows });
    if (this.#past?.reported() === true) this.#past.next();
  }

  /** More of history is on the disk. */
  pastWritten(): void {
    this.#past?.written();
    this.changed();
  }

  /** What the node tells of itself now. */
  facts(facts: NodeFacts): void {
    if (this.#phase.kind === 'live') this.#options.send({ type: 'facts', facts });
  }

  /** The socket is gone: whatever still arrives is of a dead connection. */
  closed(): void {
    this.#phase = { kind: 'closed' };
    this.#calls?.end();
  }

  #welcome({ seq, past }: Extract<FromCloud, { readonly type: 'welcome' }>): void {
    const { twins, welcomed, progress } = this.#options;
    if (this.#phase.kind !== 'greeting') return this.#confused('a second `welcome`');
    // More than was ever given out cannot be ours: sending everything again is always right.
    const acked = seq > twins.seq() ? 0 : seq;
    twins.resumeFrom(acked);
    progress?.welcomed(acked);
    this.#phase = { kind: 'live', acked };
    if (past !== undefined) this.#past = this.#pastStream(past ?? undefined);
    welcomed?.();
    this.changed();
  }

  #ack(seq: number): void {
    const phase = this.#phase;
    if (phase.kind !== 'live' || phase.inFlight !== seq) {
      return this.#confused(`an \`ack\` of ${seq}, which is not in flight`);
    }
    this.#options.twins.acknowledged(seq);
    this.#options.progress?.acked(seq);
    this.#phase = { kind: 'live', acked: seq };
    this.changed();
  }

  #pastStream(cursor: PastCursor | undefined): PastStream | undefined {
    const { past, send } = this.#options;
    return past && new PastStream({ past: past.of, monotonic: past.monotonic, send }, cursor);
  }

  #pastAck(n: number): void {
    if (this.#phase.kind === 'live' && this.#past?.acknowledged(n) === true) return this.changed();
    this.#confused(`a \`pastAck\` of ${n}, which is not in flight`);
  }

  #desire(rows: readonly WantedRow[], to: number): void {
    const { twins, send } = this.#options;
    if (this.#phase.kind !== 'live') return this.#confused('a `desire` before `welcome`');
    try {
      twins.mergeWanted(rows, to);
    } catch (cause) {
      // Not on disk, so not said to be: the cloud sends it again in the next session.
      const message = 'What the cloud wants could not be put on disk; it will send it again.';
      const retryAfter = NOT_STORED_RETRY_MS;
      return this.#end({ kind: 'own', code: 'SYNC_NOT_STORED', message, cause, retryAfter });
    }
    send({ type: 'stored', rev: to });
    this.changed();
  }

  /** At once, from memory: so nothing of it waits here. */
  #tell({ id, about }: Extract<FromCloud, { readonly type: 'ask' }>): void {
    const { asked, send } = this.#options;
    if (asked === undefined) return;
    send({ type: 'answer', id, told: toldOf(asked, about) });
  }

  #confused(what: string): void {
    const message = `The cloud sent ${what}. Update the older of the two sides.`;
    this.#end({ kind: 'own', code: 'SYNC_OUT_OF_ORDER', message });
  }

  #live(task: () => void): void {
    if (this.#phase.kind === 'live') task();
  }

  #end(end: SessionEnd): void {
    this.closed();
    this.#options.close(end);
  }
}
