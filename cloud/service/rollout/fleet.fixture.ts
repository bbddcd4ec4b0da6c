/** Boilers under one cloud whose edges do as the test says: no process, no wire, but the real store. */
import type { Json } from '@limpet/dmi';
import type {
  Device,
  DeviceModel,
  Resource,
  Rollout,
  RolloutSpec,
  Verdict,
} from '@limpet/dmi/manifest';
import { type Document, merging, type Target } from '#protocol/api';
import { CloudBackend } from '../backend.ts';
import type { Order } from '../store/desired.ts';
import { CloudStore, type Writing } from '../store/store.ts';
import { BOILER, clockAt, FACTS, placeOf, silent, writesTo } from '../testing.ts';
import { step } from './carry-out.ts';
import { nextDevices, writeDown } from './choose.ts';
import { queryLanguage } from './language.ts';
import { type Move, next } from './plan.ts';

const START = Date.UTC(2026, 10, 22);

export const ROLLOUT = { kind: 'Rollout', namespace: 'default', name: 'warm' } as const;

/** The product, or a mutant of it. */
export interface Variant {
  readonly plan: typeof next;
  readonly within: (tx: Writing) => Writing;
}

export const REAL: Variant = { plan: next, within: (tx) => tx };

export class Fleet {
  readonly clock: ReturnType<typeof clockAt>;
  /** How the next move is decided, and what it is made with. */
  variant: Variant = REAL;
  readonly #path: string;
  #began = START;
  store: CloudStore;
  backend: CloudBackend;

  static async open(path: string): Promise<Fleet> {
    const clock = clockAt(START);
    return new Fleet(
      path,
      clock,
      await CloudStore.open({ path: placeOf(path), clock, log: silent }),
    );
  }

  private constructor(path: string, clock: Fleet['clock'], store: CloudStore) {
    this.clock = clock;
    this.#path = path;
    this.store = store;
    this.backend = new CloudBackend(store);
  }

  /** The service ends, however, and a new one begins. */
  async restart(): Promise<void> {
    await this.store.close();
    const { clock } = this;
    this.store = await CloudStore.open({ path: placeOf(this.#path), clock, log: silent });
    this.backend = new CloudBackend(this.store);
    this.#began = clock.now();
  }

  /** Boilers `b-01`, `b-02` … on one node, after models. */
  async populate(count: number, models: readonly DeviceModel[] = [BOILER]): Promise<void> {
    const writes = writesTo(this.backend);
    for (const model of models) await writes.create(targetOf(model), model as unknown as Document);
    for (let at = 1; at <= count; at++) {
      const name = nameOf(at);
      const doc: Device = {
        apiVersion: 'limpet.dev/v1',
        kind: 'Device',
        metadata: {
          name,
          namespace: 'default',
          labels: { hall: at % 2 === 0 ? 'north' : 'south' },
        },
        spec: { model: 'boiler', node: 'gateway-1', settings: {} },
      };
      await writes.create(
        { kind: 'Device', namespace: 'default', name },
        doc as unknown as Document,
      );
    }
    await this.store.commit.run((tx) =>
      tx.nodes.put({
        name: 'gateway-1',
        state: 'online',
        lastSeen: START,
        facts: FACTS,
        epoch: 'e',
        seq: 0,
        stored: 0,
      }),
    );
  }

  async begin(spec: RolloutSpec, name: string = ROLLOUT.name): Promise<Rollout> {
    const metadata = { name, namespace: 'default' };
    const doc = { apiVersion: 'limpet.dev/v1', kind: 'Rollout', metadata, spec };
    const target = { ...ROLLOUT, name };
    return (await writesTo(this.backend).create(target, doc as unknown as Document)) as Rollout;
  }

  async patch(spec: RolloutSpec, name: string = ROLLOUT.name): Promise<void> {
    const target = { ...ROLLOUT, name };
    await this.backend.write(target, merging(target, { spec } as unknown as Document), {});
  }

  async rollout(name: string = ROLLOUT.name): Promise<Rollout> {
    return (await this.backend.get({ ...ROLLOUT, name })) as Rollout;
  }

  /** One move of the rollout, as the runner makes it. */
  async step(name: string = ROLLOUT.name): Promise<Move['do'] | 'gone'> {
    const { store } = this;
    const n = await store.read(async ({ objects }) => {
      return (await objects.get('Rollout', `default/${name}`))?.n;
    });
    if (n === undefined) return 'gone';
    const { plan, within } = this.variant;
    const done = await store.commit.run((tx) => step(within(tx), n, this.#began, plan));
    if (done?.move.do === 'choose') {
      const { held } = done;
      const ids = await store.read((reading) => nextDevices(queryLanguage, reading, held));
      await store.commit.run((tx) => writeDown(tx, held, ids));
    }
    return done?.move.do ?? 'gone';
  }

  /** Steps until it waits. */
  async run(name: string = ROLLOUT.name): Promise<void> {
    for (let at = 0; at < 10_000; at++) {
      const did = await this.step(name);
      if (did === 'wait' || did === 'rest' || did === 'gone') return;
    }
    throw new Error('it never waits');
  }

  /** What is desired of a property, withdrawn orders included. */
  async order(device: string, property = 'setpoint'): Promise<Order | undefined> {
    return this.store.read(({ desired }) => desired.get(device, property));
  }

  async orders(): Promise<readonly Order[]> {
    const rows = await this.store.read(({ sql }) =>
      sql.all<{ device: string }>('SELECT DISTINCT device FROM desired ORDER BY device'),
    );
    const all: Order[] = [];
    for (const { device } of rows) {
      all.push(...(await this.store.read(({ desired }) => desired.of(device))));
    }
    return all;
  }

  /** Somebody sets a value by hand. */
  async set(device: string, setpoint: Json): Promise<void> {
    const [namespace = '', name = ''] = device.split('/');
    const target: Target = { kind: 'Device', namespace, name };
    await writesTo(this.backend).patch(target, { spec: { desired: { setpoint } } });
  }

  /** The edge says what became of the present order. */
  async judge(device: string, verdict: Verdict, property = 'setpoint'): Promise<void> {
    await this.store.commit.run(async (tx) => {
      const order = await tx.desired.get(device, property);
      const [owned] = await tx.objects.owned([device]);
      const prop = await tx.names.number(property);
      if (order === undefined || owned === undefined || prop === undefined) return;
      const at = tx.now();
      const reason = { code: 'MODBUS_EXCEPTION_2', message: 'the device says no' };
      const judged = {
        rev: order.rev,
        verdict,
        stages: { stored: at, sent: at, confirmed: at },
        ...(verdict === 'rejected' && { reason }),
      };
      const value = verdict === 'applied' ? order.value : 0;
      const reported = { value, at, quality: 'good' } as const;
      await tx.mirrors.put([
        [
          { dev: owned.n, prop },
          { reported, judged },
        ],
      ]);
      await tx.wanted.observedDevices([owned]);
    });
  }

  /** Devices of the rollout and where they stand. */
  async outcomes(name: string = ROLLOUT.name) {
    const { items } = await this.backend.outcomes({ ...ROLLOUT, name }, { limit: 1_000 });
    return items;
  }

  close(): Promise<void> {
    return this.store.close();
  }
}

function nameOf(at: number): string {
  return `b-${String(at).padStart(2, '0')}`;
}

export function idOf(at: number): string {
  return `default/${nameOf(at)}`;
}

function targetOf({ kind, metadata: { name, namespace } }: Resource): Target {
  return { kind, name, ...(namespace !== undefined && { namespace }) };
}
