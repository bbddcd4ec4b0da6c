/** DMI-85x: several devices on one wire, as the runtime keeps them: one part of the wire each, and calls in turn. */
import { type Duplex, duplexPair } from 'node:stream';
import type { Connection } from '../mapper.ts';
import type { SimulatedDevice } from '../simulator.ts';
import { Broken, NotApplicable } from './broken.ts';
import { close } from './connecting.ts';
import { lost, value } from './outcome.ts';
import { type DmiPromise, onRig } from './promise.ts';
import { expect } from './reading.ts';
import type { Rig } from './rig.ts';
import { parse } from './stage.ts';
import type { SubjectItem } from './subject.ts';

export const sharing: readonly DmiPromise[] = [
  onRig('DMI-851', 'two devices on one wire each answer for themselves', async (rig) => {
    await withLine(rig, async (line) => {
      for (let round = 0; round < 3; round++) for (const each of line.pair) await line.check(each);
    });
  }),
  onRig('DMI-852', 'a device that is closed leaves the wire to the other', async (rig) => {
    await withLine(rig, async (line) => {
      const [first, second] = line.pair;
      await line.check(second);
      await close(rig, first.connection);
      await line.check(second);
    });
  }),
  onRig('DMI-853', 'a wire that is lost is lost to every device on it', async (rig) => {
    await withLine(rig, async (line) => {
      for (const each of line.pair) await line.check(each);
      line.cut();
      for (const { connection, visitors } of line.pair) {
        const outcome = await rig.call((signal) => connection.read(visitors, signal), 'fast');
        if (outcome.aborted) throw new Broken('a device did not notice that the wire was gone');
        lost(outcome, 'a read on a wire that is lost', 'garbled-too');
      }
    });
  }),
];

interface Member {
  readonly connection: Connection<unknown>;
  readonly items: readonly SubjectItem[];
  readonly visitors: readonly unknown[];
  readonly part: Duplex;
}

/** One wire with two devices behind it, and the mapper's parts of it. */
class Line {
  readonly #rig: Rig;
  readonly #near: Duplex;
  readonly #members: Member[] = [];
  /** Whose turn it is: what comes in is for it alone. */
  #turn: Duplex | undefined;

  constructor(rig: Rig, devices: readonly SimulatedDevice[]) {
    this.#rig = rig;
    const [near, far] = duplexPair();
    this.#near = near;
    for (const end of [near, far]) end.on('error', () => undefined);
    for (const device of devices) {
      const [tap, end] = duplexPair();
      for (const each of [tap, end]) each.on('error', () => undefined);
      far.on('data', (chunk: Buffer) => void tap.write(chunk));
      tap.on('data', (chunk: Buffer) => void far.write(chunk));
      far.once('close', () => tap.destroy());
      device.accept?.(end);
    }
    near.on(
      'data',
      (chunk: Buffer) => void (this.#turn?.destroyed === false && this.#turn.write(chunk)),
    );
  }

  get pair(): readonly [Member, Member] {
    const [first, second] = this.#members;
    if (first === undefined || second === undefined) throw new Broken('it was not opened');
    return [first, second];
  }

  async open(settings: unknown, items: readonly SubjectItem[]): Promise<void> {
    const { mapper, context } = this.#rig;
    const visitors: unknown[] = [];
    for (const { visitor } of items)
      visitors.push(await parse(mapper.visitor, visitor, 'a visitor'));
    let part: Duplex | undefined;
    const dial = async (): Promise<Duplex> => {
      const [mine, theirs] = duplexPair();
      mine.on('data', (chunk: Buffer) => void this.#near.write(chunk));
      mine.on('end', () => mine.end());
      for (const end of [mine, theirs]) end.on('error', () => undefined);
      this.#near.once('close', () => theirs.destroy(new Error('the wire was cut')));
      theirs.once('close', () => {
        if (theirs.errored !== null) this.cut();
      });
      this.#turn = part = mine;
      return theirs;
    };
    const connect = (signal: AbortSignal): Promise<Connection<unknown>> =>
      mapper.connect(settings, { ...context, dial }, signal);
    const connection = value(await this.#rig.call(connect, 'healthy'), 'connect');
    if (part === undefined) throw new NotApplicable('the mapper does not dial');
    this.#members.push({ connection, items, visitors, part });
  }

  /** Reads this device in its turn, and insists on what it holds. */
  async check({ connection, items, visitors, part }: Member): Promise<void> {
    this.#turn = part;
    const read = (signal: AbortSignal): ReturnType<typeof connection.read> =>
      connection.read(visitors, signal);
    const readings = value(await this.#rig.call(read, 'healthy'), 'read');
    expect(new Map(items.map((item) => [item, item.reads])), items, readings);
  }

  cut(): void {
    this.#near.destroy(new Error('the wire was cut'));
  }

  async close(): Promise<void> {
    for (const { connection } of this.#members) await close(this.#rig, connection);
    this.cut();
  }
}

async function withLine(rig: Rig, keep: (line: Line) => Promise<void>): Promise<void> {
  const { mapper, subject, device } = rig;
  const { neighbour } = subject;
  if (neighbour === undefined) throw new NotApplicable('the subject names no neighbour');
  if (device.accept === undefined) throw new NotApplicable('the wire of this mapper is its own');
  const [mine, theirs] = [
    await rig.settings(),
    await parse(mapper.settings, neighbour.settings, 'the neighbour'),
  ];
  const [port, other] = [await mapper.port?.(mine), await mapper.port?.(theirs)];
  if (port === undefined || port !== other)
    throw new Broken(`one port is ${port}, the other ${other}`);
  const second = await rig.simulate(theirs, neighbour.items);
  const line = new Line(rig, [device, second]);
  try {
    await line.open(mine, subject.items);
    await line.open(theirs, neighbour.items);
    await keep(line);
  } finally {
    await line.close();
    await second.close();
  }
}
