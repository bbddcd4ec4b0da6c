/** The device mapper interface: what the runtime asks of a mapper, and what it gives to one. */
import type { Duplex } from 'node:stream';
import type { Found, Search } from './discovery.ts';
import type { DmiError } from './errors.ts';
import type { Schema } from './standard-schema.ts';
import type { PropertyType, Value } from './value.ts';

/** One property's answer. A refused register is a value, not an exception: the batch goes on. */
export type Reading =
  | {
      readonly ok: true;
      readonly value: Value;
      /** When the value came about, as the device says, in ms since 1970. Absent, or in the future: now. */
      readonly at?: number;
      /** Why the device itself does not vouch for the value: it is reported, as bad and with this reason. */
      readonly doubt?: DmiError;
    }
  | { readonly ok: false; readonly error: DmiError };

/** What a mapper may know of a property when it checks that a visitor can serve it. */
export interface PropertyShape {
  readonly name: string;
  readonly type: PropertyType;
  readonly access: 'read' | 'readWrite';
}

/** What a mapper may know of a method when it checks that a visitor can serve it. */
export interface MethodShape {
  readonly name: string;
  readonly input: readonly Argument[];
  readonly output: readonly Argument[];
}

/** One value that goes into a method, or comes out of it. */
export interface Argument {
  readonly name: string;
  readonly type: PropertyType;
}

/** Teaches the runtime one protocol. Holds no state; all state lives in the connections it opens. */
export interface Mapper<Settings, Visitor> {
  /** The name device models use, e.g. `modbus`. */
  readonly protocol: string;
  /** How a device of this protocol is reached. */
  readonly settings: Schema<Settings>;
  /** Where on the device a property's value lives. */
  readonly visitor: Schema<Visitor>;
  /**
   * Why this visitor can never serve this property, as a sentence; `undefined` when it can. A promise where the
   * mapper runs in a process of its own; a mapper itself answers at once.
   */
  fits?(visitor: Visitor, property: PropertyShape): MaybeLater<string | undefined>;
  /** The same for a method; a mapper without it has no methods. */
  serves?(visitor: Visitor, method: MethodShape): MaybeLater<string | undefined>;
  /**
   * The bus this device shares, e.g. `tcp://10.0.0.5:502`. The runtime calls into at most one
   * connection per port at a time. Without it, or without the method, a device has a port of its own.
   */
  port?(settings: Settings): MaybeLater<string | undefined>;
  /**
   * Opens one device. Once `signal` is aborted it rejects promptly and leaves nothing open; a connection
   * that it has already returned is not affected.
   * @throws Unreachable when it cannot, Misconfigured when it never will.
   */
  connect(
    settings: Settings,
    context: MapperContext,
    signal: AbortSignal,
  ): Promise<Connection<Visitor>>;
  /**
   * Only where that can be heard without asking the device, such as from a broker: resolves once one that is away is
   * worth a try at once. Without it the runtime looks again after up to five minutes. Asked for after each try that
   * failed, outside of turns at a port, until `signal` aborts; what it dials closes then. However often it resolves,
   * the runtime tries once in five seconds at most; when it rejects, as if there were none.
   */
  back?(away: Away<Settings>, context: MapperContext, signal: AbortSignal): Promise<void>;
  /**
   * What there is, told as it is found, until `signal` aborts or everything was looked at. Only ever asked for by a
   * person at a command line, never by the runtime.
   * @throws Unreachable, Misconfigured
   */
  discover?(search: Search, context: MapperContext, signal: AbortSignal): AsyncIterable<Found>;
}

/** A device that could not be reached, or was lost. */
export interface Away<Settings> {
  readonly settings: Settings;
  /** Of the error that said so: `MQTT_DEVICE_OFFLINE`. */
  readonly code: string;
}

/** An answer, or the promise of one. */
export type MaybeLater<Answer> = Answer | Promise<Answer>;

/** One property that the device shall tell by itself. */
export interface Wish<Visitor> {
  readonly visitor: Visitor;
  /** How often, at most, a new value is wanted. */
  readonly everyMs: number;
}

/** A value that one property shall have. */
export interface Order<Visitor> {
  readonly visitor: Visitor;
  readonly value: Value;
}

/**
 * Where a subscription puts what the device tells. It never throws and never blocks: while the runtime is slow the
 * latest reading of each property wins, and those it replaced are counted.
 */
export interface Sink {
  /** A reading of the wish at `index`. */
  reading(index: number, reading: Reading): void;
  /** The subscription, or the device, is lost: `Unreachable` or `Garbled`. Nothing counts after it. */
  lost(error: Error): void;
}

/** One open device. The runtime never overlaps two calls on a connection; a subscription runs beside them. */
export interface Connection<Visitor> {
  /**
   * Answers in the order asked, one reading per visitor.
   * @throws Unreachable or Garbled when the device as a whole is lost; never for one item.
   */
  read(visitors: readonly Visitor[], signal: AbortSignal): Promise<readonly Reading[]>;
  /**
   * Resolves once the device has accepted the value, with the value as the device will report it
   * (after its scaling, rounding or truncation).
   * @throws Refused when the device says no, Misconfigured when the value cannot be put on the wire.
   */
  write(visitor: Visitor, value: Value, signal: AbortSignal): Promise<Value>;
  /**
   * Only where one request writes several: writes the first of these orders, as many as go together, and answers for
   * those, in their order: what {@link write} resolves with, or the refusal of that one. Asked again for the rest.
   * @throws Unreachable or Garbled when the device as a whole is lost; never for one item.
   */
  writeMany?(orders: readonly Order<Visitor>[], signal: AbortSignal): Promise<readonly Reading[]>;
  /**
   * Only where the protocol has it: lets the device tell changes by itself. Resolves once that is set up, with the
   * indexes of the wishes that the device cannot tell: those are polled with {@link read}. It tells each property's
   * value once at the start, then what changes, until `signal` aborts or the connection closes. One at a time:
   * other wishes come with a new subscription, after the old one's signal.
   * @throws Unreachable or Garbled when the device as a whole is lost; Refused when it serves no subscription at all.
   */
  subscribe?(
    wishes: readonly Wish<Visitor>[],
    sink: Sink,
    signal: AbortSignal,
  ): Promise<readonly number[]>;
  /**
   * Only where the protocol has methods: runs one, and answers its outputs in the order of its declaration. Never
   * repeated by the runtime: a call that was not answered may have been carried out.
   * @throws Refused, Misconfigured, Unreachable
   */
  call?(visitor: Visitor, input: readonly Value[], signal: AbortSignal): Promise<readonly Value[]>;
  /** Frees what `connect` took. Called once, also after a failure; must not throw. */
  close(): Promise<void>;
}

/** Everything a mapper may touch: it opens no sockets, files or timers of its own. */
export interface MapperContext {
  /** The device, as `namespace/name`, for messages. */
  readonly device: string;
  /**
   * A byte stream to `tcp://HOST:PORT` or `serial:PATH?baud=19200&parity=even&databits=8&stopbits=1`
   * (PATH may be a port name that the board defines). Devices of one port share the wire beneath;
   * `end()` gives back this device's part, `destroy(error)` cuts the wire for all of them.
   * @throws Unreachable, Misconfigured
   */
  readonly dial: (address: string, signal: AbortSignal) => Promise<Duplex>;
  /**
   * What was dialled is the mapper's from now on and outlives this device: for what several devices use through one
   * opening, such as a radio. The mapper ends it when none of them needs it any more.
   */
  readonly keep?: (stream: Duplex) => void;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * A folder of the mapper's own that outlives it, for certificates and the like: its scratch folder, `disk` of its
   * manifest large. Absent where it runs inline.
   */
  readonly folder?: string;
}

/** Time as an argument, so that tests need no sleeps. */
export interface Clock {
  /** Wall-clock time, ms since 1970. May jump. */
  now(): number;
  /** Milliseconds that only grow, from an arbitrary start. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Runs `task` once after `ms`, unless the returned function is called first. */
  after(ms: number, task: () => void): () => void;
}

/**
 * JSON lines. *debug*: wire and decisions; *info*: a healthy run's story; *warn*: one operation hurt and
 * someone should look; *error*: a device or subsystem is down until someone acts.
 */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** The same log with `fields` on every line. */
  with(fields: Record<string, unknown>): Log;
}

/** Identity, for inference: `export default defineMapper({ … })`. */
export function defineMapper<Settings, Visitor>(
  mapper: Mapper<Settings, Visitor>,
): Mapper<Settings, Visitor> {
  return mapper;
}
