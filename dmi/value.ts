/** What a property can hold: on the DMI, and as JSON in twins, on the bus and in the cloud. */

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** The types a property may declare. */
export type PropertyType = 'bool' | 'int' | 'float' | 'string' | 'bytes' | 'json';

/**
 * An engineering value on the DMI. `int` is a number or, beyond 2^53, a bigint; `bytes` is a
 * Uint8Array; `json` anything JSON can say. In a twin the same value is {@link Json}: an int beyond
 * 2^53 a decimal string, bytes base64.
 */
export type Value = Json | bigint | Uint8Array;
