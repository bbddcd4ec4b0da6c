/** A query as it was written: what the grammar makes of a text. Nothing is resolved yet. */
import type { Span } from './error.ts';

/** A dotted name: `temperature`, `labels.site`, `config.limits[0]`. */
export interface Name extends Span {
  readonly kind: 'name';
  readonly path: readonly (string | number)[];
  /** The first part was written "in quotes", which some write for texts. */
  readonly quoted: boolean;
}

export type Literal = Span &
  (
    | { readonly kind: 'number' | 'duration'; readonly value: number }
    | { readonly kind: 'text' | 'json'; readonly value: string }
    | { readonly kind: 'bool'; readonly value: boolean }
    | { readonly kind: 'null' }
  );

export interface Call extends Span {
  readonly kind: 'call';
  readonly name: string;
  readonly distinct: boolean;
  /** `count(*)` */
  readonly star: boolean;
  readonly args: readonly Expr[];
}

export type CompareOp = '=' | '<>' | '<' | '<=' | '>' | '>=';

export type Expr =
  | Name
  | Literal
  | Call
  | (Span & { readonly kind: 'and' | 'or'; readonly items: readonly Expr[] })
  | (Span & { readonly kind: 'not'; readonly of: Expr })
  | (Span & {
      readonly kind: 'compare';
      readonly op: CompareOp;
      readonly left: Expr;
      readonly right: Expr;
    })
  /** A time or duration, moved by a duration. */
  | (Span & {
      readonly kind: 'shift';
      readonly op: '+' | '-';
      readonly left: Expr;
      readonly right: Expr;
    })
  | (Span & { readonly kind: 'isnull'; readonly of: Expr; readonly negated: boolean })
  | (Span & {
      readonly kind: 'in';
      readonly of: Expr;
      readonly items: readonly Expr[];
      readonly negated: boolean;
    })
  | (Span & {
      readonly kind: 'like';
      readonly of: Expr;
      readonly pattern: Literal & { readonly kind: 'text' };
      readonly negated: boolean;
    })
  | (Span & {
      readonly kind: 'between';
      readonly of: Expr;
      readonly low: Expr;
      readonly high: Expr;
      readonly negated: boolean;
    });

export interface Item extends Span {
  readonly what: { readonly kind: 'star' } | Expr;
  readonly alias?: string;
}

interface OrderBy {
  readonly by: Expr;
  readonly descending: boolean;
}

export interface SelectTree {
  readonly kind: 'select';
  readonly watch: boolean;
  readonly explain: boolean;
  readonly distinct: boolean;
  readonly items: readonly Item[];
  readonly source: Span & { readonly name: string };
  readonly asOf?: Expr;
  readonly where?: Expr;
  readonly groupBy: readonly Expr[];
  readonly having?: Expr;
  readonly orderBy: readonly OrderBy[];
  readonly limit?: Span & { readonly value: number };
}

export interface Assignment extends Span {
  readonly to: Name;
  readonly value: Literal;
}

/** `stop after 3 failures` has the name `stop`. */
export interface RolloutOption extends Span {
  readonly name: string;
  readonly value: number;
  readonly unit: 'count' | 'percent' | 'duration';
}

export interface UpdateTree {
  readonly kind: 'update';
  readonly explain: boolean;
  readonly source: Span & { readonly name: string };
  readonly assignments: readonly Assignment[];
  readonly where?: Expr;
  readonly options: readonly RolloutOption[];
  readonly dryRun: boolean;
}

export type Tree = SelectTree | UpdateTree;
