/** What is to be done for one device: its manifest and model, checked by its mapper, every fault at once. */
import { Misconfigured, type Mapper } from '@limpet/dmi';
import {
  checkSettings,
  checkVisitors,
  type Device,
  type DeviceModel,
  duration,
  type Fault,
  type Property,
  type Reason,
} from '@limpet/dmi/manifest';

export interface PlannedProperty {
  readonly property: Property;
  readonly visitor: unknown;
}

export interface DevicePlan {
  readonly mapper: Mapper<unknown, unknown>;
  readonly settings: unknown;
  /** The bus it shares, if any. */
  readonly port: string | undefined;
  readonly model: DeviceModel;
  readonly properties: ReadonlyMap<string, PlannedProperty>;
}

/** @throws Misconfigured DEVICE_INVALID with all faults; MODEL_MISSING */
export async function planDevice(
  device: Device,
  model: DeviceModel | undefined,
  find: (protocol: string) => Promise<Mapper<unknown, unknown>>,
): Promise<DevicePlan> {
  if (model === undefined) {
    const message = `model "${device.spec.model}" is not known here: apply it, or correct spec.model`;
    throw new Misconfigured('MODEL_MISSING', message);
  }
  const mapper = await find(model.spec.protocol);
  const settings = await checkSettings(mapper, device);
  const { visitors, faults } = await checkVisitors(mapper, model);
  const all = [...(settings.ok ? [] : settings.faults), ...faults];
  if (!settings.ok || all.length > 0) {
    throw new Misconfigured('DEVICE_INVALID', listed(all));
  }
  const properties = new Map<string, PlannedProperty>();
  for (const property of model.spec.properties) {
    properties.set(property.name, { property, visitor: visitors.get(property.name) });
  }
  return {
    mapper,
    settings: settings.settings,
    port: await mapper.port?.(settings.settings),
    model,
    properties,
  };
}

/** The sampling period; manifests are checked at the door, so a wrong one is a fault of ours. */
export function everyMs({ name, every = '1s' }: Property): number {
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
