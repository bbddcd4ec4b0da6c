/** What is to be done for one device: its manifest and model, checked by its mapper, every fault at once. */
import { Misconfigured, type Mapper } from '@limpet/dmi';
import {
  checkMethods,
  checkSettings,
  checkVisitors,
  type Device,
  type DeviceModel,
  duration,
  type Fault,
  type Method,
  type Property,
  type Reason,
} from '@limpet/dmi/manifest';

export interface PlannedProperty {
  /** Its place among the properties of its plan. */
  readonly index: number;
  readonly property: Property;
  readonly visitor: unknown;
  /** The sampling period. */
  readonly everyMs: number;
}

export interface PlannedMethod {
  readonly method: Method;
  readonly visitor: unknown;
}

export interface DevicePlan {
  readonly mapper: Mapper<unknown, unknown>;
  readonly settings: unknown;
  /** The bus it shares, if any. */
  readonly port: string | undefined;
  readonly model: DeviceModel;
  /** By name, in the order of the model; one map for all devices of a model. */
  readonly properties: ReadonlyMap<string, PlannedProperty>;
  readonly methods: ReadonlyMap<string, PlannedMethod>;
}

/** A model as its mapper sees it. */
interface CheckedModel {
  readonly properties: ReadonlyMap<string, PlannedProperty>;
  readonly methods: ReadonlyMap<string, PlannedMethod>;
  readonly faults: readonly Fault[];
}

interface Kept {
  readonly mapper: Mapper<unknown, unknown>;
  readonly checked: Promise<CheckedModel>;
}

export class Plans {
  readonly #find: (protocol: string) => Promise<Mapper<unknown, unknown>>;
  /** Models that devices use, checked once: by document, so that a changed one is checked anew. */
  #models = new WeakMap<DeviceModel, Kept>();

  /** `find` gives the mapper of a protocol. */
  constructor(find: (protocol: string) => Promise<Mapper<unknown, unknown>>) {
    this.#find = find;
  }

  /** @throws Misconfigured DEVICE_INVALID with all faults; MODEL_MISSING; what finding the mapper throws */
  async plan(device: Device, model: DeviceModel | undefined): Promise<DevicePlan> {
    if (model === undefined) {
      const message = `model "${device.spec.model}" is not known here: apply it, or correct spec.model`;
      throw new Misconfigured('MODEL_MISSING', message);
    }
    const mapper = await this.#find(model.spec.protocol);
    const settings = await checkSettings(mapper, device);
    const { properties, methods, faults } = await this.#model(mapper, model);
    const all = [...(settings.ok ? [] : settings.faults), ...faults];
    if (!settings.ok || all.length > 0) {
      throw new Misconfigured('DEVICE_INVALID', listed(all));
    }
    const port = await mapper.port?.(settings.settings);
    return { mapper, settings: settings.settings, port, model, properties, methods };
  }

  /** A mapper was replaced: what the one before said of models counts no longer. */
  forget(): void {
    this.#models = new WeakMap();
  }

  #model(mapper: Mapper<unknown, unknown>, model: DeviceModel): Promise<CheckedModel> {
    const kept = this.#models.get(model);
    if (kept?.mapper === mapper) return kept.checked;
    const models = this.#models;
    const checked = checkModel(mapper, model).catch((error: unknown) => {
      models.delete(model);
      throw error;
    });
    models.set(model, { mapper, checked });
    return checked;
  }
}

async function checkModel(
  mapper: Mapper<unknown, unknown>,
  model: DeviceModel,
): Promise<CheckedModel> {
  const { visitors, faults } = await checkVisitors(mapper, model);
  const properties = new Map<string, PlannedProperty>();
  for (const [index, property] of model.spec.properties.entries()) {
    const { name } = property;
    const visitor = visitors.get(name);
    properties.set(name, { index, property, visitor, everyMs: everyMs(property) });
  }
  const called = await checkMethods(mapper, model);
  const methods = new Map<string, PlannedMethod>();
  for (const method of model.spec.methods ?? []) {
    methods.set(method.name, { method, visitor: called.visitors.get(method.name) });
  }
  return { properties, methods, faults: [...faults, ...called.faults] };
}

/** Manifests are checked at the door, so a wrong period is a fault of ours. */
function everyMs({ name, every = '1s' }: Property): number {
  const ms = duration(every);
  if (ms === undefined || ms <= 0) throw new Error(`property ${name} has no period: ${every}`);
  return ms;
}

/** More faults than this are counted, not listed: the reason travels with every copy of the twin. */
const MAX_LISTED = 10;

function listed(faults: readonly Fault[]): string {
  const lines = faults.slice(0, MAX_LISTED).map(({ path, message }) => `${path}: ${message}`);
  const more = faults.length - lines.length;
  return [...lines, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

/** A reason that a person can act on, of bounded size. */
export function clipped({ code, message }: Reason): Reason {
  return { code, message: message.length > 2_000 ? `${message.slice(0, 2_000)}…` : message };
}
