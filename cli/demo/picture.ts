/** What the demo shows of all devices together. Pure. */
import type { Json } from '@limpet/dmi';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { cell, type Table } from '../render/table.ts';
import { TWIN_HEAD, twinRows } from '../render/twin.ts';

export interface Picture {
  readonly devices: readonly Device[];
  readonly models: ReadonlyMap<string, DeviceModel>;
}

export interface Tally {
  readonly devices: number;
  readonly online: number;
  readonly properties: number;
  readonly good: number;
}

/** One table over all devices; a device is named in its first row. */
export function demoTable({ devices, models }: Picture, now: number): Table {
  const rows = devices.flatMap((device) => {
    const twin = [...twinRows(device, models.get(device.spec.model), now).values()];
    return twin.map((row, index) => [cell(index === 0 ? device.metadata.name : ''), ...row]);
  });
  return { head: ['DEVICE', ...TWIN_HEAD], rows };
}

export function tally({ devices, models }: Picture): Tally {
  const twins = devices.flatMap((device) => Object.values(device.status?.twin ?? {}));
  return {
    devices: devices.length,
    online: devices.filter(({ status }) => status?.state === 'online').length,
    properties: devices.reduce(
      (sum, { spec }) => sum + (models.get(spec.model)?.spec.properties.length ?? 0),
      0,
    ),
    good: twins.filter(({ reported }) => reported?.quality === 'good').length,
  };
}

/** One property for `--json`. */
export interface ValueLine {
  readonly device: string;
  readonly property: string;
  readonly value: Json;
  readonly unit: string | null;
  readonly quality: string | null;
  readonly at: string | null;
  readonly desired: Json;
  readonly verdict: string | null;
}

export function valueLines(device: Device, model: DeviceModel | undefined): ValueLine[] {
  const units = new Map(model?.spec.properties.map(({ name, unit }) => [name, unit ?? null]));
  return Object.entries(device.status?.twin ?? {}).map(([property, { reported, desired }]) => ({
    device: device.metadata.name,
    property,
    ...(reported === undefined
      ? { value: null, quality: null, at: null }
      : { value: reported.value, quality: reported.quality, at: reported.at }),
    unit: units.get(property) ?? null,
    ...(desired === undefined
      ? { desired: null, verdict: null }
      : { desired: desired.value, verdict: desired.verdict }),
  }));
}
