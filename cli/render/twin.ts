/** The twin of a device as table rows. */
import type {
  Desired,
  Device,
  DeviceModel,
  PropertyTwin,
  Quality,
  Reported,
  Verdict,
} from '@limpet/dmi/manifest';
import { type Cell, cell, type Table, type Tone } from './table.ts';
import { ageText, since, valueText } from './words.ts';

const QUALITY_TONES: Readonly<Record<Quality, Tone>> = { good: 'good', stale: 'warn', bad: 'bad' };
const VERDICT_TONES: Readonly<Record<Verdict, Tone>> = {
  pending: 'warn',
  applied: 'good',
  rejected: 'bad',
  expired: 'bad',
};

export const TWIN_HEAD = [
  'PROPERTY',
  'VALUE',
  'UNIT',
  'QUALITY',
  'AGE',
  'DESIRED',
  'VERDICT',
  'REASON',
];

/** Every property of the model and of the twin, in the model's order. */
export function twinTable(device: Device, model: DeviceModel | undefined, now: number): Table {
  return { head: TWIN_HEAD, rows: [...twinRows(device, model, now).values()] };
}

/** The same rows by property name. */
export function twinRows(
  device: Device,
  model: DeviceModel | undefined,
  now: number,
): ReadonlyMap<string, readonly Cell[]> {
  const twin = device.status?.twin ?? {};
  const units = new Map(model?.spec.properties.map(({ name, unit }) => [name, unit ?? '']));
  const names = new Set([...units.keys(), ...Object.keys(twin)]);
  return new Map(
    [...names].map((name) => {
      const row = twinRow(name, twin[name] ?? {}, { device, unit: units.get(name) ?? '', now });
      return [name, row];
    }),
  );
}

function twinRow(
  name: string,
  { reported, desired }: PropertyTwin,
  { device, unit, now }: { readonly device: Device; readonly unit: string; readonly now: number },
): Cell[] {
  return [
    cell(name),
    cell(valueText(reported?.value), reported?.quality === 'good' ? 'plain' : 'dim'),
    cell(unit, 'dim'),
    reported === undefined
      ? cell('-', 'dim')
      : cell(reported.quality, QUALITY_TONES[reported.quality]),
    cell(freshness(reported, device.status?.lastSeen, now)),
    ...desiredCells(reported, desired),
  ];
}

/** Desired value, verdict, and every reason there is. */
function desiredCells(reported: Reported | undefined, desired: Desired | undefined): Cell[] {
  // A withdrawn desired value wants nothing.
  const wanted = desired === undefined || desired.value === null ? undefined : desired;
  const unmet = wanted?.verdict === 'applied' ? undefined : wanted?.reason;
  const reasons = [reported?.reason, unmet].filter((each) => each !== undefined);
  return [
    cell(valueText(wanted?.value)),
    wanted === undefined ? cell('-', 'dim') : cell(wanted.verdict, VERDICT_TONES[wanted.verdict]),
    cell(reasons.map(({ code, message }) => `${code}: ${message}`).join('; '), 'dim'),
  ];
}

/**
 * How old the knowledge is. Unchanged values are not reported again, so a good value is as fresh as
 * the last time its device answered.
 */
function freshness(
  reported: Reported | undefined,
  lastSeen: string | undefined,
  now: number,
): string {
  if (reported === undefined || reported.value === null) return '-';
  if (reported.quality !== 'good' || lastSeen === undefined) return since(reported.at, now);
  return ageText(now - Math.max(Date.parse(reported.at), Date.parse(lastSeen)));
}
