/** What the engines spell differently. Only constants of this program become SQL; what users say becomes a parameter. */
import type { Path } from '../typed.ts';

export type Dialect = 'sqlite' | 'postgres';

export type SqlValue = string | number | null;

/** The parameters of one statement. */
export class Params {
  readonly dialect: Dialect;
  readonly values: SqlValue[] = [];

  constructor(dialect: Dialect) {
    this.dialect = dialect;
  }

  text(value: string): string {
    return this.#add(value, 'text');
  }

  number(value: number): string {
    return this.#add(value, 'float8');
  }

  whole(value: number): string {
    return this.#add(value, 'bigint');
  }

  #add(value: SqlValue, type: string): string {
    this.values.push(value);
    const place = `$${this.values.length}`;
    return this.dialect === 'postgres' ? `${place}::${type}` : place;
  }
}

/** A value in SQL, in the forms that it is needed in. Each is made when it is asked for. */
export interface Parts {
  /** A number, or NULL. */
  number(): string;
  /** A text, or NULL. */
  text(): string;
  /** As JSON: what is shown, and told apart by; of a value that is no JSON, the value. */
  json(): string;
  /** Something that is NULL when the value is nothing. */
  presence(): string;
}

/** What stands at a path of a column that holds JSON. */
export function jsonAt(params: Params, column: string, path: Path): Parts {
  return params.dialect === 'sqlite'
    ? sqliteJson(params, column, path)
    : postgresJson(params, column, path);
}

function sqliteJson(params: Params, column: string, path: Path): Parts {
  const place = once(() => params.text(sqlitePath(path)));
  const sound = `CASE WHEN ${odd('instr', column)} THEN NULL ELSE ${column} END`;
  const type = (): string => `json_type(${sound}, ${place()})`;
  const value = (): string => `json_extract(${column}, ${place()})`;
  const json = (): string => `NULLIF(${sound} -> ${place()}, 'null')`;
  return {
    number: () =>
      `CASE ${type()} WHEN 'integer' THEN CAST(${value()} AS REAL) WHEN 'real' THEN ${value()} WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0 END`,
    text: () => `CASE ${type()} WHEN 'text' THEN substr(${value()}, 1, 256) END`,
    json,
    presence: json,
  };
}

/** A parameter is made when it is needed, and then once: none may stand unused beside a statement. */
function once(make: () => string): () => string {
  let made: string | undefined;
  return () => (made ??= make());
}

function sqlitePath(path: Path): string {
  return `$${path.map((step) => (typeof step === 'number' ? `[${step}]` : `."${step}"`)).join('')}`;
}

function postgresJson(params: Params, column: string, path: Path): Parts {
  const sound = `(CASE WHEN ${odd('strpos', column)} THEN NULL ELSE ${column} END)::json`;
  const json = once(() => {
    const steps = path.map((step) => {
      return typeof step === 'number'
        ? ` -> ${params.whole(step)}::int`
        : ` -> ${params.text(step)}`;
    });
    return `(${sound}${steps.join('')})`;
  });
  const value = (): string => `(${json()} #>> '{}')`;
  const type = (): string => `json_typeof(${json()})`;
  const shown = (): string => `NULLIF(${json()}::text, 'null') COLLATE "C"`;
  return {
    number: () =>
      `CASE ${type()} WHEN 'number' THEN ${value()}::float8 WHEN 'boolean' THEN CASE ${value()} WHEN 'true' THEN 1 ELSE 0 END END`,
    text: () => `CASE ${type()} WHEN 'string' THEN substr(${value()}, 1, 256) COLLATE "C" END`,
    json: shown,
    presence: shown,
  };
}

/**
 * Whether JSON holds what PostgreSQL has no text for: U+0000, or half a surrogate pair, which JSON writes \u0000 and \ud….
 * Written backslashes are taken out first, in pairs.
 */
function odd(find: 'instr' | 'strpos', column: string): string {
  const plain = `replace(${column}, '\\\\', '')`;
  return `(${find}(${plain}, '\\u0000') > 0 OR ${find}(${plain}, '\\ud') > 0)`;
}

/** A column's JSON with the same parts, for PostgreSQL to look for what holds nothing of that kind: numbers, labels. */
export function readableJson(column: string): string {
  const plain = `replace(${column}, '\\\\', '')`;
  return `replace(replace(${plain}, '\\u0000', ''), '\\ud', '')::json`;
}
