/** Values, ages and times as people read them. */
import type { Json } from '@limpet/dmi';

const LONGEST = 40;

/** A value in a table: short, and without the noise of single precision (55.29999923706055 is 55.3). */
export function valueText(value: Json | undefined): string {
  if (value === undefined || value === null) return '-';
  if (typeof value === 'number')
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(7)));
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

/** How long ago, in at most two units: `0.4s`, `12s`, `3m20s`, `5h`, `12d`. A clock ahead of ours counts as now. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${(Math.floor(seconds * 10) / 10).toFixed(1)}s`;
  if (seconds < 120) return `${Math.floor(seconds)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return `${minutes}m${Math.floor(seconds % 60)}s`;
  if (minutes < 120) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}

/** The age of a time stamp; `-` without one. */
export function since(at: string | undefined, now: number): string {
  const time = at === undefined ? Number.NaN : Date.parse(at);
  return Number.isNaN(time) ? '-' : ageText(now - time);
}

/** Bytes in MiB, as operators of small computers count them. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(0)} MiB`;
}

/** Bytes as people compare them: `312 B`, `8.0 KiB`, `12.3 MiB`, `1.5 GiB`. */
export function sizeText(bytes: number | undefined): string {
  if (bytes === undefined) return '-';
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  // What rounds to 1024.0 of a unit is 1.0 of the next.
  const power = Math.min(units.length, Math.floor(Math.log2(bytes * 1.00005) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${units[power - 1]}`;
}
