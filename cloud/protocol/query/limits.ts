/** What one query may be. Each is a promise of LANGUAGE.md. */
export const QUERY_LIMITS = {
  /** UTF-16 code units of text. */
  text: 16_384,
  /** Parentheses inside one another. */
  depth: 32,
  /** Conditions, columns and arguments together. */
  terms: 500,
  /** Values in one list. */
  list: 1_000,
  columns: 100,
  /** Properties, desired values and labels that one query looks at. */
  names: 20,
  groupBy: 8,
  orderBy: 8,
  /** Of a text that is compared: what is compared of a value, too, in characters. */
  comparedText: 256,
  /** Steps of a path into JSON. */
  path: 16,
  /** Rows of one answer; more come with its `continue`. */
  page: 1_000,
} as const;
