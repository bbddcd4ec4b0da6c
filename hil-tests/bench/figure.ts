/** One measured figure: what, how much, and the goal it is held against. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** As stated in the README; absent where a figure is only told. */
  readonly goal?: string;
}

export function ms(what: string, value: number, goal?: string): Figure {
  return { what, value: Math.round(value * 100) / 100, unit: 'ms', ...(goal && { goal }) };
}
