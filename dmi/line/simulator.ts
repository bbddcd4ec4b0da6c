/** A pretend device derived from its visitors: they say what is asked, what is set and what the answer looks like. */
import type { Duplex } from 'node:stream';
import { DmiError } from '../errors.ts';
import type { SimulatedDevice, SimulatedProperty, Simulator } from '../simulator.ts';
import type { Value } from '../value.ts';
import { cutLines } from './framing.ts';
import { between, filled } from '../wire/template.ts';
import { decodeLine, encodeLine, type LineVisitor } from './visitor.ts';
import { type LineWire, settled } from './wire.ts';

/** The longest line that a pretend device takes; more is dropped, as a real one would overrun its buffer. */
const MAX_LINE = 65_536;

type Property = SimulatedProperty<LineVisitor>;

/** `export const simulator = lineSimulator(wire)`, with the same `wire` that the mapper opens its line with. */
export function lineSimulator(wire: LineWire = {}): Simulator<unknown, LineVisitor> {
  return {
    simulate({ properties }) {
      return new LineDevice(properties, settled(wire));
    },
  };
}

/**
 * Answers each line that `respond` answers; `undefined` is silence. For pretend devices that visitors do not describe.
 */
export function answerLines(
  stream: Duplex,
  wire: LineWire,
  respond: (line: string) => string | undefined,
): void {
  const { end, answerEnd, encoding } = settled(wire);
  let held: Buffer = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    const { lines, rest } = cutLines(Buffer.concat([held, chunk]), Buffer.from(end, encoding));
    held = rest.length > MAX_LINE ? Buffer.alloc(0) : Buffer.from(rest);
    for (const line of lines) {
      const answer = respond(line.toString(encoding).trim());
      const open = !stream.writableEnded && !stream.destroyed;
      if (answer !== undefined && open) stream.write(Buffer.from(answer + answerEnd, encoding));
    }
  });
  stream.on('error', () => stream.destroy());
  stream.on('end', () => stream.end());
}

class LineDevice implements SimulatedDevice {
  readonly #properties: readonly Property[];
  readonly #wire: ReturnType<typeof settled>;
  readonly #values: Map<string, Value>;
  readonly #open = new Set<Duplex>();

  constructor(properties: readonly Property[], wire: ReturnType<typeof settled>) {
    this.#properties = properties;
    this.#wire = wire;
    this.#values = new Map();
    for (const { name, value } of properties) this.set(name, value);
  }

  accept(stream: Duplex): void {
    this.#open.add(stream);
    stream.once('close', () => this.#open.delete(stream));
    answerLines(stream, this.#wire, (line) => this.#respond(line));
  }

  get(property: string): Value {
    return this.#values.get(property) ?? null;
  }

  set(property: string, value: Value): void {
    const visitor = this.#properties.find(({ name }) => name === property)?.visitor;
    if (visitor === undefined) throw new Error(`this device has no property "${property}"`);
    // What no line can say must fail here, not when it is asked for.
    encodeLine(visitor, value);
    this.#values.set(property, value);
  }

  close(): void {
    for (const stream of this.#open) stream.destroy();
  }

  #respond(line: string): string | undefined {
    const asked = this.#properties.filter(({ visitor }) => visitor.ask.trim() === line);
    if (asked.length > 0) return this.#told(asked);
    for (const property of this.#properties) {
      const text = property.visitor.set && between(property.visitor.set, line);
      if (text === undefined) continue;
      return this.#take(property, text) ? this.#wire.ack : this.#no('value');
    }
    return this.#no('unknown');
  }

  #told(properties: readonly Property[]): string {
    const texts: string[] = [];
    let around = '{}';
    for (const { name, visitor } of properties) {
      texts[visitor.field ?? 0] = encodeLine(visitor, this.get(name));
      around = visitor.answer;
    }
    // Fields that no property names are there on the wire all the same.
    return filled(around, Array.from(texts, (text) => text ?? '0').join(this.#wire.separator));
  }

  #take({ name, visitor }: Property, text: string): boolean {
    try {
      const plain = { ...visitor, answer: '{}', field: undefined };
      this.#values.set(name, decodeLine(plain, text, this.#wire.separator));
      return true;
    } catch (error) {
      if (error instanceof DmiError) return false;
      throw error;
    }
  }

  #no(why: string): string | undefined {
    const { refused } = this.#wire;
    return refused === undefined ? undefined : `${refused} ${why}`;
  }
}
