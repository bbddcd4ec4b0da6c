/** One size of fleet against one fresh cloud, from the first connection to a restart. */
import { pause } from '../../rig/until.ts';
import { Control } from './control.ts';
import { Fleet } from './fleet.ts';
import { watchFleet } from './fleet-watch.ts';
import { FreshnessProbe } from './freshness.ts';
import { models, PROPERTIES } from './plant.ts';
import { Prober, type Question } from './probes.ts';
import { aggregateQuestions, knowsQueries, pageQuestions, pointQuestions } from './questions.ts';
import { type Answered, latencyOf, round, type StepResult, type Weight } from './result.ts';
import type { Subject, Usage } from './subject.ts';

export interface StepOptions {
  readonly nodes: number;
  /** Of all nodes; rounded to whole devices. */
  readonly properties: number;
  readonly updatesPerS: number;
  readonly generators: number;
  /** How long things are watched; all the times of the step follow from it. */
  readonly seconds: number;
  readonly say: (what: string) => void;
}

/** An hour is longer than anything that still goes on. */
const LONGEST_MS = 3_600_000;
const LOOK_MS = 100;

export async function runStep(subject: Subject, options: StepOptions): Promise<StepResult> {
  const { nodes, generators, say, seconds } = options;
  const devices = Math.max(1, Math.round(options.properties / nodes / PROPERTIES.length));
  await subject.start();
  const fleet = await Fleet.start(generators);
  const control = await Control.start();
  const run = new Step({ subject, fleet, control }, { ...options, devices });
  try {
    for (const model of models()) await subject.api.create(model);
    const empty = await run.weigh(Math.min(seconds, 5));
    say(`${nodes} nodes connect`);
    const connect = await run.connect();
    say(`${nodes * devices * PROPERTIES.length} properties are told for the first time`);
    const warmed = await run.warm();
    const fill = await run.fill();
    const atRest = await run.atRest();
    say(`${options.updatesPerS} updates/s`);
    const load = await run.load();
    const mixed = await run.mixed();
    const aggregates = await run.aggregates();
    const fleetWatch = await run.fleetWatch();
    say('the cloud is killed and starts again');
    const restart = await run.restart();
    const properties = nodes * devices * PROPERTIES.length;
    return {
      nodes,
      properties,
      empty,
      connect,
      warmed,
      fill,
      atRest,
      load,
      mixed,
      aggregates,
      fleetWatch,
      restart,
    };
  } catch (error) {
    throw new Error(`with ${nodes} nodes: the cloud said last:\n${subject.lastLines}`, {
      cause: error,
    });
  } finally {
    run.close();
    control.close();
    await fleet.close();
    await subject.stop();
  }
}

interface Parts {
  readonly subject: Subject;
  readonly fleet: Fleet;
  readonly control: Control;
}

class Step {
  readonly #subject: Subject;
  readonly #fleet: Fleet;
  readonly #control: Control;
  readonly #options: StepOptions & { readonly devices: number };
  readonly #prober: Prober;
  #queries = false;

  constructor(
    { subject, fleet, control }: Parts,
    options: StepOptions & { readonly devices: number },
  ) {
    this.#subject = subject;
    this.#fleet = fleet;
    this.#control = control;
    this.#options = options;
    this.#prober = new Prober(subject.url);
  }

  close(): void {
    this.#prober.close();
  }

  /** Its least memory, which is nearest to what it needs, and its CPU, over so long. */
  async weigh(seconds: number): Promise<Weight> {
    const before = this.#subject.usage();
    const start = performance.now();
    const seen: Usage[] = [];
    while (performance.now() - start < seconds * 1000) {
      await pause(500);
      seen.push(this.#subject.usage());
    }
    return weight(before, seen, (performance.now() - start) / 1000);
  }

  async connect(): Promise<StepResult['connect']> {
    const { nodes, seconds } = this.#options;
    this.#queries = await knowsQueries(this.#prober);
    this.#fleet.connect(this.#subject.hub, nodes);
    const ms = await this.#until(({ connected }) => connected === nodes);
    const { faults } = await this.#fleet.counts();
    // Long enough for heartbeats, which are most of what an idle connection costs.
    return { ms: round(ms), faults, weight: await this.weigh(Math.max(2 * seconds, 1)) };
  }

  async warm(): Promise<StepResult['warmed']> {
    const { devices, seconds } = this.#options;
    this.#fleet.declare(devices, 'tenth');
    await this.#until(({ pending }) => pending === 0);
    const { acknowledged: properties } = await this.#fleet.counts();
    return { properties, weight: await this.weigh(seconds) };
  }

  async fill(): Promise<StepResult['fill']> {
    const { devices, seconds } = this.#options;
    const before = this.#subject.usage();
    const { acknowledged: had } = await this.#fleet.counts();
    this.#fleet.declare(devices, 'rest');
    const ms = await this.#until(({ pending }) => pending === 0);
    const { acknowledged } = await this.#fleet.counts();
    const weight = await this.weigh(seconds);
    return {
      ms: round(ms),
      propertiesPerS: Math.round(((acknowledged - had) / ms) * 1000),
      databaseBytes: await this.#subject.databaseBytes(),
      writtenBytes: writtenSince(before, this.#subject.usage()),
      weight,
    };
  }

  atRest(): Promise<Answered> {
    return this.#asked(this.#points, this.#options.seconds);
  }

  async load(): Promise<StepResult['load']> {
    const { updatesPerS, seconds } = this.#options;
    const probe = new FreshnessProbe(this.#subject.hub, this.#subject.api, this.#prober);
    await probe.start();
    this.#fleet.change(updatesPerS);
    await pause(seconds * 500);
    const before = await this.#fleet.counts();
    const used = this.#subject.usage();
    const start = performance.now();
    const [answered, fresh, seen] = await Promise.all([
      this.#asked(this.#points, 2 * seconds),
      probe.run(2 * seconds * 1000, this.#queries),
      this.weigh(2 * seconds),
    ]);
    const took = (performance.now() - start) / 1000;
    const after = await this.#fleet.counts();
    const written = writtenSince(used, this.#subject.usage());
    await probe.stop();
    const perS = (of: 'offered' | 'acknowledged' | 'superseded'): number =>
      Math.round((after[of] - before[of]) / took);
    return {
      askedPerS: updatesPerS,
      offeredPerS: perS('offered'),
      acknowledgedPerS: perS('acknowledged'),
      supersededPerS: perS('superseded'),
      acknowledgement: latencyOf(after.latency),
      writtenPerS: written && Math.round(written / took),
      weight: seen,
      ...answered,
      freshness: {
        get: latencyOf(fresh.get),
        query: latencyOf(fresh.query),
        watch: latencyOf(fresh.watch),
        unseen: fresh.unseen,
      },
    };
  }

  mixed(): Promise<Answered> {
    const questions = [...this.#points, ...pageQuestions(this.#queries)];
    return this.#asked(questions, this.#options.seconds);
  }

  async aggregates(): Promise<StepResult['aggregates']> {
    const { seconds } = this.#options;
    if (!this.#queries) return {};
    const answers = await this.#prober.run(aggregateQuestions(), seconds * 1000);
    return latencies(answers);
  }

  async fleetWatch(): Promise<StepResult['fleetWatch']> {
    const { seconds } = this.#options;
    const { events, seconds: took, lag } = await watchFleet(this.#subject.api, seconds * 1000);
    return { eventsPerS: Math.round(events / took), lag: latencyOf(lag) };
  }

  async restart(): Promise<StepResult['restart']> {
    const { nodes, updatesPerS } = this.#options;
    const { faults: before } = await this.#fleet.counts();
    await this.#subject.kill();
    const startMs = await this.#subject.start();
    const started = performance.now();
    await this.#until(({ connected }) => connected === nodes);
    const backMs = performance.now() - started;
    await this.#until(({ pending }) => pending <= updatesPerS);
    const flowingMs = performance.now() - started;
    const { faults } = await this.#fleet.counts();
    this.#fleet.change(0);
    return {
      startMs: round(startMs),
      backMs: round(backMs),
      flowingMs: round(flowingMs),
      faults: Object.fromEntries(
        Object.entries(faults).map(([code, times]) => [code, times - (before[code] ?? 0)]),
      ),
    };
  }

  get #points(): readonly Question[] {
    return pointQuestions(this.#options, this.#queries);
  }

  async #asked(questions: readonly Question[], seconds: number): Promise<Answered> {
    const [found, machine] = await Promise.all([
      this.#prober.run(questions, seconds * 1000),
      this.#control.run(seconds * 1000),
    ]);
    const failed = [...found].flatMap(([name, answers]) =>
      Object.entries(answers.failed).map(([code, times]) => [`${name}: ${code}`, times] as const),
    );
    return { machine, answers: latencies(found), failed: Object.fromEntries(failed) };
  }

  /** Resolves with how long it took. */
  async #until(holds: (counts: Awaited<ReturnType<Fleet['counts']>>) => boolean): Promise<number> {
    const start = performance.now();
    for (;;) {
      const counts = await this.#fleet.counts();
      const took = performance.now() - start;
      if (holds(counts)) return took;
      if (took > LONGEST_MS) throw new Error(`still not so: ${JSON.stringify(counts)}`);
      await pause(LOOK_MS);
    }
  }
}

function weight(before: Usage, seen: readonly Usage[], seconds: number): Weight {
  const last = seen.at(-1) ?? before;
  return {
    privateBytes: Math.min(...seen.map((each) => each.private)),
    rssBytes: Math.min(...seen.map(({ rss }) => rss)),
    cpu: round((last.cpuS - before.cpuS) / seconds, 3),
  };
}

function latencies(
  answers: Awaited<ReturnType<Prober['run']>>,
): Readonly<Record<string, ReturnType<typeof latencyOf>>> {
  return Object.fromEntries([...answers].map(([name, { latency }]) => [name, latencyOf(latency)]));
}

function writtenSince(before: Usage, now: Usage): number | undefined {
  if (before.writtenBytes === undefined || now.writtenBytes === undefined) return undefined;
  return now.writtenBytes - before.writtenBytes;
}
