/** Of the rows that edges report nearly all are alike: a property with a good, simple value. */
import type { PropertyRow } from '#protocol';
import { ID, PROPERTY_NAME } from './names.ts';

/** In any encoding far below what a value may be. */
const SHORT_TEXT = 1_000;

/**
 * Whether a row is such a one, just as the schema of all rows takes it, at a tenth of the time. In any doubt it is not, and
 * the schema judges.
 */
export function isUsualRow(row: unknown): row is PropertyRow {
  if (!isObject(row) || Object.keys(row).length !== 5 || row['kind'] !== 'property') return false;
  const { seq, device, property, reported } = row;
  return (
    typeof device === 'string' &&
    typeof property === 'string' &&
    ID.test(device) &&
    PROPERTY_NAME.test(property) &&
    Number.isSafeInteger(seq) &&
    (seq as number) >= 0 &&
    isUsualReported(reported)
  );
}

function isUsualReported(reported: unknown): boolean {
  if (!isObject(reported) || Object.keys(reported).length !== 3) return false;
  const { value, at, quality } = reported;
  return quality === 'good' && Number.isFinite(at) && isSimple(value);
}

function isSimple(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= SHORT_TEXT && value.isWellFormed();
  return typeof value === 'boolean' || Number.isFinite(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
