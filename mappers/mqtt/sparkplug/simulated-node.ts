/** A Sparkplug edge node with one device behind it, as the visitors describe it; or the node alone. */
import type { Duplex } from 'node:stream';
import type { SimulatedDevice, SimulatedProperty, Value } from '@limpet/dmi';
import type { Sparkplug } from '../settings.ts';
import { SimulatedBroker } from '../simulated-broker.ts';
import type { Layout, Visitor } from '../visitor.ts';
import { metricFor, readingOf } from './metric.ts';
import { decodePayload, encodePayload, type Metric, TYPE } from './payload.ts';

interface Simulated {
  readonly name: string;
  readonly metric: string;
  readonly alias: number;
  readonly layout: Layout;
  readonly datatype: number;
  value: Value;
}

const DATATYPES = {
  number: TYPE.Double,
  bool: TYPE.Boolean,
  bytes: TYPE.Bytes,
  text: TYPE.String,
  enum: TYPE.String,
  json: TYPE.String,
} as const;

export class SimulatedNode implements SimulatedDevice {
  readonly #place: Sparkplug;
  readonly #all: readonly Simulated[];
  #broker: SimulatedBroker | undefined;
  #seq = 0;

  private constructor(place: Sparkplug, all: readonly Simulated[]) {
    this.#place = place;
    this.#all = all;
  }

  static async open(
    place: Sparkplug,
    properties: readonly SimulatedProperty<Visitor>[],
  ): Promise<SimulatedNode> {
    const all = properties.map(({ name, type, visitor: { place: at, layout }, value }, index) => ({
      name,
      metric: at.kind === 'metric' ? at.metric : name,
      alias: index + 1,
      layout,
      datatype: type === 'int' ? TYPE.Int64 : DATATYPES[layout.type as keyof typeof DATATYPES],
      value,
    }));
    const node = new SimulatedNode(place, all);
    node.#broker = await SimulatedBroker.open((topic, payload) => node.#ordered(topic, payload));
    return node;
  }

  accept(wire: Duplex): void {
    this.#broker?.accept(wire);
  }

  get(property: string): Value {
    return this.#named(property).value;
  }

  set(property: string, value: Value): void {
    const simulated = this.#named(property);
    simulated.value = value;
    const { alias, layout, datatype } = simulated;
    this.#say('DATA', [{ alias, ...metricFor(value, layout, datatype) }]);
  }

  async close(): Promise<void> {
    await this.#broker?.close();
  }

  #ordered(topic: string, payload: Buffer): void {
    const { group, node, device } = this.#place;
    const forNode = topic === `spBv1.0/${group}/NCMD/${node}`;
    if (!forNode && topic !== `spBv1.0/${group}/DCMD/${node}/${device}`) return;
    for (const metric of decodePayload(payload).metrics ?? []) {
      if (forNode && metric.name === 'Node Control/Rebirth') this.#born();
      const simulated = this.#all.find((each) => each.metric === metric.name);
      if (simulated === undefined) continue;
      const reading = readingOf(metric, simulated.datatype, simulated.layout);
      if (reading.ok) this.set(simulated.name, reading.value);
    }
  }

  #born(): void {
    const metrics = this.#all.map(({ metric, alias, layout, datatype, value }) => ({
      name: metric,
      alias,
      datatype,
      ...metricFor(value, layout, datatype),
    }));
    const bdSeq = { name: 'bdSeq', datatype: TYPE.Int64, long: 0 };
    this.#seq = -1;
    const { group, node, device } = this.#place;
    const own = device === undefined ? metrics : [];
    this.#send(`spBv1.0/${group}/NBIRTH/${node}`, [bdSeq, ...own]);
    if (device !== undefined) this.#say('BIRTH', metrics);
  }

  #say(kind: 'BIRTH' | 'DATA', metrics: readonly Metric[]): void {
    const { group, node, device } = this.#place;
    if (device === undefined) this.#send(`spBv1.0/${group}/N${kind}/${node}`, metrics);
    else this.#send(`spBv1.0/${group}/D${kind}/${node}/${device}`, metrics);
  }

  #send(topic: string, metrics: readonly Metric[]): void {
    this.#seq = (this.#seq + 1) % 256;
    void this.#broker?.say(topic, encodePayload({ metrics, seq: this.#seq }), false);
  }

  #named(name: string): Simulated {
    const found = this.#all.find((each) => each.name === name);
    if (found !== undefined) return found;
    throw new RangeError(`the simulated device has no property ${name}`);
  }
}
