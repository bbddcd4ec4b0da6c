/**
 * One edge with good devices and one bad mapper beside them: two Modbus devices, whose mapper is inline, a third
 * party's good mapper in a process, and the offender in another. The offender's files change from test to test, under
 * the running edge: that it serves again after each, and nobody else notices, is part of every test.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext } from 'node:test';
import type { MapperFacts, Node, Reason } from '@limpet/dmi/manifest';
import { processMemory } from '../bench/process-memory.ts';
import { BusListener } from '../rig/bus-listener.ts';
import { NODE, Rig } from '../rig/rig.ts';
import { pause, until } from '../rig/until.ts';
import { Others, PERIOD_MS } from './others.ts';
import { manifestsText, putMapper, type Terms } from './files.ts';

/** Of limpet.yaml: what the core may take. */
const CORE_BYTES = 48 * 2 ** 20;
/** The status is no cheap question. */
export const ASK_MS = 200;
/** So long the others are watched once it was named. */
const WATCH_MS = 1_000;
const OFFENDER = 'offender';
const STATE = 'limpet/default/offender-1/state';
const TOPICS = ['limpet/default/offender-1/#', 'limpet/default/+/state'];

/** One offence, and what must be said of it. */
export interface Case {
  /** A file of `offences/`. */
  readonly offence: string;
  /** What begins it; without, it begins when the mapper is connected. */
  readonly order?: string;
  readonly terms?: Terms;
  /** The code of the reason that names it. */
  readonly code: string;
  /** What becomes of it: one that does not run takes its own device away, which names it as the cause. */
  readonly outcome: 'runs on' | 'is started again' | 'is stopped';
}

export class Yard {
  readonly rig: Rig;
  readonly #others: Others;
  #bus: BusListener | undefined;
  #edition = 0;
  /** States of the offender's device that were told before the mark. */
  #told = 0;
  #corePeak = 0;
  #watch: NodeJS.Timeout | undefined;

  private constructor(rig: Rig) {
    this.rig = rig;
    this.#others = new Others({
      api: rig.edgeApi,
      edge: () => this.pid,
      neighbour: () => this.processes('neighbour'),
    });
  }

  /** `beside`: more mappers, by protocol, and their offences, which begin when they are connected. */
  static async open(beside: Readonly<Record<string, string>> = {}): Promise<Yard> {
    const yard = new Yard(await Rig.create());
    await yard.#start(beside).catch(async (error: unknown) => {
      await yard.close();
      throw error;
    });
    return yard;
  }

  /** The folder of the node's own mappers. */
  get mappers(): string {
    return path.join(this.rig.folder, 'mappers');
  }

  /** Lets the offender misbehave in one way. Resolves once it was named everywhere and the others were unharmed. */
  async suffers(t: TestContext, wanted: Case): Promise<MapperFacts> {
    const { offence, order, terms, code, outcome } = wanted;
    const told = this.logged(code).length;
    if (order === undefined) this.mark();
    this.install(offence, terms);
    await this.serves();
    if (order !== undefined) {
      assert.equal((await this.facts()).reason, undefined, 'other files are another chance');
      this.mark();
      await this.order(order);
    }
    await until(
      async () => {
        const { reason, state } = await this.facts();
        return reason?.code === code ? undefined : this.#tell(`${state}: ${reason?.code}`);
      },
      20_000,
      ASK_MS,
    );
    const shown = await this.shown();
    assert.equal(shown.reason?.code, code, 'limpet get mappers does not say so');
    await until(() => (this.logged(code).length > told ? undefined : this.#tell(`no ${code}`)));
    await until(() => this.#deviceIsNot(outcome === 'runs on' ? 'kept' : 'lost'));
    if (outcome === 'is started again') await this.serves();
    else await pause(WATCH_MS);
    await this.unharmed(t);
    return shown;
  }

  /** Puts another offence in the place of the mapper's last, under the running edge. */
  install(offence: string, terms: Terms = {}, protocol = OFFENDER): void {
    this.#edition += 1;
    const { version } = this;
    putMapper(this.mappers, { protocol, version, offence, terms });
  }

  /** Until the device of the newest files tells new values. */
  async serves(): Promise<void> {
    const version = this.version;
    await until(
      async () => {
        const { version: now, state } = await this.facts();
        return now === version && state === 'ready' ? undefined : this.#tell(`${now} is ${state}`);
      },
      20_000,
      ASK_MS,
    );
    const from = Date.now();
    await until(() => {
      const [said, beat] = [this.reported('said'), this.reported('beat')];
      if (said['quality'] === 'good' && String(said['value']).startsWith(version)) {
        if (beat['quality'] === 'good' && Date.parse(String(beat['at'])) > from) return undefined;
      }
      return this.#tell(`no values of the offender: ${JSON.stringify([said, beat])}`);
    });
  }

  /** Of the newest files. */
  get version(): string {
    return `1.0.${this.#edition}`;
  }

  /** Begins to watch the others. */
  mark(): void {
    this.#others.mark();
    this.#corePeak = 0;
    this.#told = this.#bus?.all(STATE).length ?? 0;
  }

  /** Sends the offender's device an order for the newest files; it acts on its first only. */
  async order(value: string): Promise<void> {
    const payload = JSON.stringify({ value: `${this.version} ${value}`, expires: '5s' });
    await this.#bus?.publish('limpet/default/offender-1/set/trigger', payload);
  }

  /** What the offender's device reported last of `property`, as the bus has it. */
  reported(property: string): Readonly<Record<string, unknown>> {
    return this.#bus?.last(`limpet/default/offender-1/twin/${property}`) ?? {};
  }

  /** What the node's status says of a mapper. */
  async facts(protocol = OFFENDER): Promise<MapperFacts> {
    const node = (await this.rig.edgeApi.get({ kind: 'Node', name: NODE })) as Node;
    const found = node.status?.facts?.mappers.find((mapper) => mapper.protocol === protocol);
    return found ?? { protocol, version: 'none' };
  }

  /** What `limpet get mappers --json` says of it. */
  async shown(protocol = OFFENDER): Promise<MapperFacts> {
    const socket = path.join(this.rig.edgeData, 'limpet.sock');
    const command = Rig.limpet('get', ['mappers', '--json', '--edge', socket]);
    await command.ended();
    const { items } = JSON.parse(command.output) as { readonly items: readonly MapperFacts[] };
    return items.find((mapper) => mapper.protocol === protocol) ?? { protocol, version: 'none' };
  }

  /** The events of the edge's log that name the mapper and say `code`. */
  logged(code: string, protocol = OFFENDER): readonly string[] {
    const lines = this.rig.edge?.output.split('\n') ?? [];
    return lines.filter((line) => line.includes(`"protocol":"${protocol}"`) && line.includes(code));
  }

  /** Fails where one of the others felt the offender since the mark, or the core took more memory than is its. */
  async unharmed(t: TestContext): Promise<void> {
    await this.#others.unharmed(t, () => this.#tell(''));
    assert.ok(this.rig.edge?.running, this.#tell('the edge has ended'));
    assert.ok(this.#corePeak < CORE_BYTES, `the core took ${this.#corePeak} bytes`);
  }

  /** Of the edge. */
  get pid(): number {
    return this.rig.edge?.pid ?? 0;
  }

  /** Mappers that run, or those of one protocol, whoever's children they are by now. */
  processes(protocol = ''): readonly number[] {
    const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
    const mark = path.join(this.mappers, protocol);
    return pids.filter((pid) => commandOf(pid).includes(mark));
  }

  /** The device of a mapper, as the bus has it. */
  state(protocol = OFFENDER): Readonly<Record<string, unknown>> {
    return this.#bus?.last(`limpet/default/${protocol}-1/state`) ?? {};
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    this.#others.stop();
    await this.#bus?.close();
    await this.rig.close();
  }

  async #start(beside: Readonly<Record<string, string>>): Promise<void> {
    const { rig } = this;
    const manifests = path.join(rig.folder, 'manifests');
    mkdirSync(manifests);
    writeFileSync(
      path.join(manifests, 'all.yaml'),
      manifestsText({ port: rig.devicePort, everyMs: PERIOD_MS, beside: Object.keys(beside) }),
    );
    for (const [protocol, offence] of Object.entries({ neighbour: 'none', ...beside })) {
      putMapper(this.mappers, { protocol, version: '1.0.0', offence });
    }
    this.install('none');
    await rig.configure({
      cloud: undefined,
      manifests,
      mapperFolder: this.mappers,
      memory: '{ ceiling: 160Mi, core: 48Mi }',
    });
    rig.registers.onRead = (unit) => {
      const registers = rig.registers.input(unit);
      registers[0] = (registers[0] ?? 0) + 1;
    };
    await rig.startEdge();
    this.#watch = setInterval(() => this.#look(), 250);
    this.#bus = await BusListener.connect(rig.busPort, TOPICS);
    await this.serves();
    await this.#others.read();
  }

  #look(): void {
    try {
      const { private: kib } = processMemory(this.pid);
      this.#corePeak = Math.max(this.#corePeak, kib * 1024);
    } catch {
      // Between two edges there is nothing to look at.
    }
  }

  /** What its states since the mark fail to tell. */
  #deviceIsNot(expected: 'lost' | 'kept'): string | undefined {
    const states = this.#bus?.all(STATE).slice(this.#told) ?? [];
    const named = states.some(({ reason }) => {
      const { code, message } = (reason ?? {}) as Partial<Reason>;
      return code?.startsWith('MAPPER_') === true && message?.includes(OFFENDER) === true;
    });
    const online = this.state()['state'] === 'online';
    if (expected === 'lost' ? named : online && !named) return undefined;
    return this.#tell(`its device says ${JSON.stringify(states)}`);
  }

  #tell(what: string): string {
    return `${what}\n${this.rig.edge?.lastLines}`;
  }
}

/** Empty for one that is gone. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
