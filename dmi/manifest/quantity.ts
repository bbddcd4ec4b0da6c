/** Sizes as Kubernetes writes quantities: `26Mi`, `30M`, `1500`; binary with an `i`, decimal without. */
import * as v from 'valibot';
import { must } from './schema.ts';

const UNITS = [
  ['Gi', 2 ** 30],
  ['G', 1e9],
  ['Mi', 2 ** 20],
  ['M', 1e6],
  ['Ki', 2 ** 10],
  ['k', 1e3],
] as const;

/** Bytes of a quantity like `26Mi`, `1.5Gi` or `1048576`; `undefined` when it is none, or no whole number of bytes. */
export function parseQuantity(text: string | number): number | undefined {
  const match = /^(\d{1,16}(?:\.\d{1,9})?)(Gi|Mi|Ki|G|M|k)?$/.exec(String(text));
  if (match === null) return undefined;
  const scale = UNITS.find(([unit]) => unit === match[2])?.[1] ?? 1;
  const bytes = Number(match[1]) * scale;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The shortest exact way to write whole bytes, binary before decimal: 27262976 is `26Mi`, 30000000 is `30M`. */
export function formatQuantity(bytes: number): string {
  const whole = Math.max(0, Math.round(bytes));
  const exact = UNITS.filter(([, scale]) => whole >= scale && whole % scale === 0);
  const written = exact.map(([unit, scale]) => `${whole / scale}${unit}`);
  return written.reduce((best, each) => (each.length < best.length ? each : best), String(whole));
}

const PHRASE = 'a size like 26Mi, 30M or a number of bytes';

/** A size in a document, as bytes. */
export function quantity(): v.GenericSchema<unknown, number> {
  return v.pipe(
    v.custom<string | number>((value) => isQuantity(value), must(PHRASE)),
    v.transform((value) => parseQuantity(value) ?? 0),
    v.description(PHRASE),
  );
}

function isQuantity(value: unknown): boolean {
  return (
    (typeof value === 'string' || typeof value === 'number') && parseQuantity(value) !== undefined
  );
}
