/**
 * What was found, as manifests that `limpet apply` takes unchanged: names are made fit, and what the mapper itself does
 * not take is left out and told.
 */
import type { Mapper, SuggestedModel } from '@limpet/dmi';
import {
  API_VERSION,
  checkSettings,
  type Device,
  type DeviceModel,
  type Method,
  type Property,
} from '@limpet/dmi/manifest';
import { checkFound } from './found.ts';
import { labelOf, Names, propertyOf } from './names.ts';
import { soundMethods, soundProperties } from './sound.ts';

/** The ceilings of one look. */
export const MAX_FOUND = 1_000;
export const MAX_PROPERTIES = 10_000;
const MAX_METHODS = 1_000;
const MAX_DESCRIPTION = 500;
const MAX_NOTES = 10;

/** A property or method and where it stands in the device's own tree. */
export interface Placed {
  readonly path: readonly string[];
  readonly item: Property | Method;
}

/** One thing that was found. */
export interface Finding {
  readonly about: string;
  readonly device: Device;
  /** Shared by devices that are alike. */
  readonly model: DeviceModel;
  readonly placed: readonly Placed[];
  /** What was left out and why, for people. */
  readonly notes: readonly string[];
}

export interface FindingsOptions {
  readonly mapper: Mapper<unknown, unknown>;
  readonly namespace: string;
  readonly node: string;
  /** What to call devices, in place of what they are found as. */
  readonly name?: string | undefined;
}

type Drafted = Pick<Finding, 'model' | 'placed' | 'notes'>;

export class Findings {
  readonly #options: FindingsOptions;
  readonly #devices = new Names();
  readonly #models = new Names();
  /** By what they say. */
  readonly #alike = new Map<string, DeviceModel>();
  readonly all: Finding[] = [];
  #properties = 0;

  constructor(options: FindingsOptions) {
    this.#options = options;
  }

  get properties(): number {
    return this.#properties;
  }

  get full(): boolean {
    return this.all.length >= MAX_FOUND || this.#properties >= MAX_PROPERTIES;
  }

  /** @throws TypeError when it is no `Found`; Unreachable when the mapper cannot be asked */
  async add(found: unknown): Promise<Finding> {
    const { name, about, settings, model: told } = checkFound(found);
    const { node, namespace, mapper } = this.#options;
    const wanted = labelOf(this.#options.name ?? name);
    const { model, placed, notes } = await this.#draft(told, wanted);
    const device: Device = {
      apiVersion: API_VERSION,
      kind: 'Device',
      metadata: { name: this.#devices.take(wanted), namespace },
      spec: { model: model.metadata.name, node, settings },
    };
    const checked = await checkSettings(mapper, device);
    const lacking = checked.ok
      ? []
      : checked.faults.map(({ path, message }) => `${path}: ${message}`);
    const finding = { about, device, model, placed, notes: [...notes, ...lacking] };
    this.all.push(finding);
    return finding;
  }

  /** The model that it tells, or one without properties; one that is known already where it is the same. */
  async #draft(told: SuggestedModel | undefined, wanted: string): Promise<Drafted> {
    const { mapper } = this.#options;
    const { protocol } = mapper;
    const some = suggestedOf(told, MAX_PROPERTIES - this.#properties);
    const properties = await soundProperties(mapper, some.properties);
    const methods = await soundMethods(mapper, some.methods);
    this.#properties += properties.kept.length;
    const description = told?.description?.slice(0, MAX_DESCRIPTION);
    const model = this.#shared(wanted, {
      protocol,
      ...(description !== undefined && { description }),
      properties: properties.kept.map(({ item }) => item),
      ...(methods.kept.length > 0 && { methods: methods.kept.map(({ item }) => item) }),
    });
    const notes = [...some.notes, ...properties.faults, ...methods.faults];
    const more = notes.length - MAX_NOTES;
    if (more > 0) notes.splice(MAX_NOTES, more, `and ${more} more like these`);
    return { model, placed: [...properties.kept, ...methods.kept], notes };
  }

  #shared(wanted: string, spec: DeviceModel['spec']): DeviceModel {
    const print = JSON.stringify(spec);
    const { properties, methods = [], description } = spec;
    // Devices of which nothing is known are not alike for that.
    const mute = properties.length + methods.length === 0 && description === undefined;
    const known = mute ? undefined : this.#alike.get(print);
    if (known !== undefined) return known;
    const metadata = { name: this.#models.take(wanted), namespace: this.#options.namespace };
    const model: DeviceModel = { apiVersion: API_VERSION, kind: 'DeviceModel', metadata, spec };
    this.#alike.set(print, model);
    return model;
  }
}

interface Named {
  readonly name: string;
  readonly path?: readonly string[];
}

/** With names that are fit, as far as there is room. */
function suggestedOf(told: SuggestedModel | undefined, room: number) {
  const { properties = [], methods = [] } = told ?? {};
  const notes: string[] = [];
  const over = properties.length - room;
  if (over > 0) notes.push(`${over} properties left out: there may be ${MAX_PROPERTIES} in all`);
  const more = methods.length - MAX_METHODS;
  if (more > 0) notes.push(`${more} methods left out: a model may have ${MAX_METHODS}`);
  return {
    properties: properties.slice(0, room).map(placedWith(new Names())),
    methods: methods.slice(0, MAX_METHODS).map(placedWith(new Names())),
    notes,
  };
}

function placedWith(names: Names) {
  return <Item extends Named>({ path, ...item }: Item) => ({
    path: Array.isArray(path) ? path.slice(0, 32).map((each) => String(each).slice(0, 80)) : [],
    item: inOrder({ ...item, name: names.take(propertyOf(String(item.name))) }),
  });
}

/** As people write manifests: the name first, the visitor last, and nothing that goes without saying. */
function inOrder<Item extends object>(item: Item): Item {
  const { name, type, visitor, access, ...rest } = item as Record<string, unknown>;
  const said = { name, type, ...(access !== 'read' && { access }), ...rest, visitor };
  return Object.fromEntries(
    Object.entries(said).filter(([, value]) => value !== undefined),
  ) as Item;
}
