/** The whole state of the edge in memory: what is wanted and what is so. Twins are small; the disk is behind, not between. */
import { type Json } from '@limpet/dmi';
import {
  type Device,
  type DeviceModel,
  type DeviceState,
  type Id,
  type PropertyTwin,
  type Reason,
  type ResourceRow,
  type WantedResource,
} from '@limpet/dmi/manifest';

/** How a device fares. `lastSeen`: ms since 1970, edge clock. */
export interface DeviceCondition {
  readonly state: DeviceState;
  readonly reason?: Reason;
  readonly lastSeen?: number;
}

export interface DeviceTwin {
  readonly condition: DeviceCondition;
  readonly properties: ReadonlyMap<string, PropertyTwin<number>>;
}

/** When an order runs out, by both clocks: whichever says so first is believed. */
export interface Deadline {
  readonly wall: number;
  readonly monotonic: number;
}

export interface PropertyEntry {
  readonly kind: 'property';
  readonly device: Id;
  readonly property: string;
  seq: number;
  twin: PropertyTwin<number>;
  /** Read from disk at start and not confirmed by the device since. */
  carried: boolean;
  deadline: Deadline | undefined;
  readBack: Json | undefined;
}

export interface DeviceEntry {
  readonly kind: 'device';
  readonly device: Id;
  seq: number;
  condition: DeviceCondition;
  /** Why this device is not run although it is wanted. */
  refused: Reason | undefined;
  /** With how many properties it runs; 0 while it was not let in. */
  admitted: number;
  readonly entries: Map<string, PropertyEntry>;
  /** The same twins as in `entries`, as others see them. */
  readonly properties: Map<string, PropertyTwin<number>>;
}

export interface ResourceEntry {
  readonly kind: 'resource';
  readonly type: ResourceRow['type'];
  readonly id: Id;
  seq: number;
  rev: number;
  doc: WantedResource | null;
}

export type Entry = PropertyEntry | DeviceEntry | ResourceEntry;

export class Twins {
  readonly resources: Readonly<Record<ResourceRow['type'], Map<Id, ResourceEntry>>> = {
    DeviceModel: new Map(),
    Device: new Map(),
  };
  readonly devices = new Map<Id, DeviceEntry>();
  /** Property entries over all devices. */
  size = 0;

  model(id: Id): DeviceModel | undefined {
    return (this.resources.DeviceModel.get(id)?.doc ?? undefined) as DeviceModel | undefined;
  }

  device(id: Id): Device | undefined {
    return (this.resources.Device.get(id)?.doc ?? undefined) as Device | undefined;
  }

  property(device: Id, property: string): PropertyEntry | undefined {
    return this.devices.get(device)?.entries.get(property);
  }

  addDevice(device: Id, condition: DeviceCondition): DeviceEntry {
    const entry: DeviceEntry = {
      kind: 'device',
      device,
      seq: 0,
      condition,
      refused: undefined,
      admitted: 0,
      entries: new Map(),
      properties: new Map(),
    };
    this.devices.set(device, entry);
    return entry;
  }

  addProperty(device: DeviceEntry, property: string): PropertyEntry {
    const entry: PropertyEntry = {
      kind: 'property',
      device: device.device,
      property,
      seq: 0,
      twin: {},
      carried: false,
      deadline: undefined,
      readBack: undefined,
    };
    device.entries.set(property, entry);
    device.properties.set(property, entry.twin);
    this.size++;
    return entry;
  }

  setTwin(entry: PropertyEntry, twin: PropertyTwin<number>): void {
    entry.twin = twin;
    this.devices.get(entry.device)?.properties.set(entry.property, twin);
  }

  removeProperty(entry: PropertyEntry): void {
    const device = this.devices.get(entry.device);
    if (device?.entries.delete(entry.property)) this.size--;
    device?.properties.delete(entry.property);
  }

  removeDevice(entry: DeviceEntry): void {
    this.size -= entry.entries.size;
    this.devices.delete(entry.device);
  }
}

/** The model a device names, in its own namespace. */
export function modelIdOf(device: Device): Id {
  return `${device.metadata.namespace ?? 'default'}/${device.spec.model}`;
}
