/** A checked query: every name resolved, every type known. What the evaluator runs and the compiler writes as SQL. */
import type { Json, PropertyType } from '@limpet/dmi';
import type { CompareOp } from './tree.ts';

export type Source = 'devices' | 'properties' | 'nodes' | 'models';

/**
 * What a value can be. `any` is a JSON value whose type only the row tells: it has a number, a text, or neither. `json`
 * is shown and not compared.
 */
export type Kind = 'number' | 'text' | 'bool' | 'time' | 'duration' | 'any' | 'json';

export type Path = readonly (string | number)[];

/** A property by name, or the one of the row where the rows are properties. */
export type PropertyRef =
  | { readonly name: string; readonly types: readonly PropertyType[] }
  | 'row';

export type StateOf = 'quality' | 'at' | 'age' | 'drift' | 'verdict' | 'reason';

export type AggregateOf = 'count' | 'min' | 'max' | 'avg' | 'sum' | 'percentile';

export interface Aggregate {
  readonly op: 'aggregate';
  readonly kind: Kind;
  readonly fn: AggregateOf;
  /** Absent: rows are counted. */
  readonly of?: Value;
  readonly distinct: boolean;
  /** Of a percentile: 0 to 1. */
  readonly fraction?: number;
}

/** How two values are compared: by their numbers (times and durations too), their texts, or whichever both have. */
export type Mode = 'number' | 'text' | 'any';

export type Condition =
  | { readonly op: 'and' | 'or'; readonly kind: 'bool'; readonly items: readonly Value[] }
  | { readonly op: 'not'; readonly kind: 'bool'; readonly of: Value }
  | {
      readonly op: 'compare';
      readonly kind: 'bool';
      readonly by: CompareOp;
      readonly mode: Mode;
      readonly left: Value;
      readonly right: Value;
    }
  | { readonly op: 'isnull'; readonly kind: 'bool'; readonly of: Value }
  | {
      readonly op: 'in';
      readonly kind: 'bool';
      readonly mode: 'number' | 'text';
      readonly of: Value;
      readonly items: readonly (number | string)[];
    }
  | { readonly op: 'like'; readonly kind: 'bool'; readonly of: Value; readonly pattern: string }
  /** Whether a value that is true or false is true. */
  | { readonly op: 'truth'; readonly kind: 'bool'; readonly of: Value };

export type Leaf =
  | {
      readonly op: 'literal';
      readonly kind: 'number' | 'time' | 'duration';
      readonly value: number;
    }
  | { readonly op: 'literal'; readonly kind: 'text'; readonly value: string }
  | { readonly op: 'literal'; readonly kind: 'bool'; readonly value: boolean }
  /** One of COLUMNS. */
  | { readonly op: 'column'; readonly kind: Kind; readonly name: string }
  | { readonly op: 'property'; readonly kind: Kind; readonly of: PropertyRef; readonly path: Path }
  | { readonly op: 'desired'; readonly kind: Kind; readonly of: PropertyRef; readonly path: Path }
  /** Of the row's resource, or of the node that runs it. */
  | {
      readonly op: 'label';
      readonly kind: 'text';
      readonly key: string;
      readonly of: 'row' | 'node';
    }
  | { readonly op: 'fact'; readonly kind: 'any'; readonly path: Path }
  | {
      readonly op: 'state';
      readonly kind: Kind;
      readonly state: StateOf;
      readonly of: PropertyRef;
    };

export type Value = Leaf | Condition | Aggregate;

/** `json`: whatever JSON a property holds. */
type ColumnType = 'number' | 'text' | 'bool' | 'time' | 'duration' | 'json';

/** A column of the answer. Times are RFC 3339; durations are milliseconds, and say so as their unit. */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly unit?: string;
}

export interface CheckedSelect {
  readonly kind: 'select';
  readonly watch: boolean;
  readonly explain: boolean;
  readonly source: Source;
  readonly columns: readonly (Column & { readonly value: Value })[];
  readonly where?: Value;
  /** Rows are put together; without `groups` all of them. */
  readonly grouped: boolean;
  readonly groups: readonly Value[];
  readonly having?: Value;
  readonly order: readonly { readonly value: Value; readonly descending: boolean }[];
  readonly limit?: number;
  /** ms since 1970. */
  readonly asOf?: number;
  /** What `now()` and `age()` count from, in ms since 1970: when the query began, or the time it is asked AS OF. */
  readonly now: number;
  /** When the query began. */
  readonly began: number;
}

export interface CheckedUpdate {
  readonly kind: 'update';
  readonly explain: boolean;
  readonly dryRun: boolean;
  /** null withdraws. */
  readonly desired: ReadonlyMap<string, Json>;
  /** Which devices: `SELECT device FROM devices WHERE …`, in order of id. */
  readonly targets: CheckedSelect;
  readonly rollout: {
    readonly canary?: { readonly count: number } | { readonly percent: number };
    readonly batch?: number;
    readonly stopAfter?: number;
    readonly timeoutMs?: number;
    readonly expiresMs?: number;
  };
}

export type Checked = CheckedSelect | CheckedUpdate;
