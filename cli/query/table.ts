/** Rows of a query as a table: units in the head, durations and times as people read them. */
import type { Json } from '@limpet/dmi';
import { type Cell, cell } from '../render/table.ts';
import { ageText, valueText } from '../render/words.ts';

export interface ShownColumn {
  readonly name: string;
  readonly type: string;
  readonly unit?: string;
}

export function headOf(columns: readonly ShownColumn[]): readonly string[] {
  return columns.map(({ name, type, unit }) => {
    // A duration is shown with its units.
    return unit === undefined || type === 'duration' ? name : `${name} (${unit})`;
  });
}

export function cellsOf(columns: readonly ShownColumn[], row: readonly Json[]): readonly Cell[] {
  return columns.map(({ type }, index) => {
    const value = row[index] ?? null;
    if (value === null) return cell('-', 'dim');
    return cell(
      type === 'duration' && typeof value === 'number' ? ageText(value) : valueText(value),
    );
  });
}

/** For programs: values by the names of their columns. */
export function recordOf(
  columns: readonly ShownColumn[],
  row: readonly Json[],
): Readonly<Record<string, Json>> {
  return Object.fromEntries(columns.map(({ name }, index) => [name, row[index] ?? null]));
}
