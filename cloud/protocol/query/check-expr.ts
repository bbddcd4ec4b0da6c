/** Expressions: names resolved, types known, literals read. */
import { checkCall, KIND_WORDS } from './check-calls.ts';
import { compared, type Side } from './check-compare.ts';
import { resolve, type Scope } from './check-names.ts';
import { QueryError, type Span } from './error.ts';
import { QUERY_LIMITS } from './limits.ts';
import type { Expr, Literal } from './tree.ts';
import type { Condition, Value } from './typed.ts';

/** Of one query: counts what it is made of. */
export class ExprChecker {
  readonly #scope: Scope;
  readonly #now: number;
  #terms = 0;
  readonly #names = new Set<string>();

  constructor(scope: Scope, now: number) {
    this.#scope = scope;
    this.#now = now;
  }

  /** `aggregates`: whether one may stand here; if not, why. @throws QueryError */
  value(expr: Expr, aggregates: true | string): Value {
    this.#count(expr);
    if (isPlainLiteral(expr)) return literalOf(expr);
    if (expr.kind === 'name') return this.#named(resolve(this.#scope, expr), expr);
    if (expr.kind === 'call') return this.#named(this.#call(expr, aggregates), expr);
    if (expr.kind === 'shift') return this.#shift(expr, aggregates);
    return this.#condition(expr, aggregates);
  }

  /** Something that is true, false or unknown. */
  condition(expr: Expr, aggregates: true | string): Value {
    const value = this.value(expr, aggregates);
    if (value.kind === 'bool' && (value.op === 'literal' || isCondition(value) || isDrift(value)))
      return value;
    if (value.kind === 'bool' || value.kind === 'any')
      return { op: 'truth', kind: 'bool', of: value };
    const message = `expected a condition, such as x > 5; found ${KIND_WORDS[value.kind]}`;
    throw new QueryError('QUERY_TYPE', message, { span: expr });
  }

  #call(expr: Expr & { kind: 'call' }, aggregates: true | string): Value {
    return checkCall(
      {
        ...this.#scope,
        now: this.#now,
        aggregates,
        argument: (argument) => this.value(argument, 'an aggregate takes no other'),
      },
      expr,
    );
  }

  #condition(expr: ConditionTree, aggregates: true | string): Value {
    switch (expr.kind) {
      case 'and':
      case 'or': {
        const items = expr.items.map((item) => this.condition(item, aggregates));
        return { op: expr.kind, kind: 'bool', items };
      }
      case 'not':
        return not(this.condition(expr.of, aggregates));
      case 'isnull': {
        const isNull: Condition = {
          op: 'isnull',
          kind: 'bool',
          of: this.value(expr.of, aggregates),
        };
        return expr.negated ? not(isNull) : isNull;
      }
      case 'compare': {
        const sides = [
          this.#side(expr.left, aggregates),
          this.#side(expr.right, aggregates),
        ] as const;
        return {
          op: 'compare',
          kind: 'bool',
          by: expr.op,
          ...compared(this.#scope.source, expr.op, sides),
        };
      }
      case 'between':
        return this.#between(expr, aggregates);
      case 'like':
        return this.#like(expr, aggregates);
      case 'in':
        return this.#in(expr, aggregates);
    }
  }

  #between(expr: Expr & { kind: 'between' }, aggregates: true | string): Value {
    const { source } = this.#scope;
    const of = this.#side(expr.of, aggregates);
    const [low, high] = [this.#side(expr.low, aggregates), this.#side(expr.high, aggregates)];
    const items: Condition[] = [
      { op: 'compare', kind: 'bool', by: '>=', ...compared(source, '>=', [of, low]) },
      { op: 'compare', kind: 'bool', by: '<=', ...compared(source, '<=', [of, high]) },
    ];
    const both: Condition = { op: 'and', kind: 'bool', items };
    return expr.negated ? not(both) : both;
  }

  #like({ of, pattern, negated }: Expr & { kind: 'like' }, aggregates: true | string): Value {
    const side = this.#side(of, aggregates);
    const text: Value = { op: 'literal', kind: 'text', value: pattern.value };
    if (pattern.value.length > QUERY_LIMITS.comparedText) {
      const message = `a pattern has at most ${QUERY_LIMITS.comparedText} characters`;
      throw new QueryError('QUERY_VALUE', message, { span: pattern });
    }
    if (side.value.kind !== 'text' && side.value.kind !== 'any') {
      const message = `LIKE is for texts, and this is ${KIND_WORDS[side.value.kind]}`;
      throw new QueryError('QUERY_TYPE', message, { span: of });
    }
    const like: Condition = { op: 'like', kind: 'bool', of: side.value, pattern: text.value };
    return negated ? not(like) : like;
  }

  #in({ of, items, negated }: Expr & { kind: 'in' }, aggregates: true | string): Value {
    if (items.length > QUERY_LIMITS.list) {
      const span = items[QUERY_LIMITS.list] ?? of;
      throw new QueryError('QUERY_TOO_LARGE', `a list has at most ${QUERY_LIMITS.list} values`, {
        span,
      });
    }
    const side = this.#side(of, aggregates);
    const kinds = new Set<string>();
    const values = items.map((item) => {
      this.#terms -= 1;
      const right = this.#side(item, aggregates);
      const { mode, right: value } = compared(this.#scope.source, 'in', [side, right]);
      kinds.add(mode);
      if (value.op === 'literal' && kinds.size === 1) return constant(value);
      const message =
        value.op === 'literal'
          ? 'the values of a list are of one type'
          : 'a list holds plain values';
      throw new QueryError('QUERY_TYPE', message, { span: item });
    });
    const mode = kinds.has('text') ? 'text' : 'number';
    const within: Condition = { op: 'in', kind: 'bool', mode, of: side.value, items: values };
    return negated ? not(within) : within;
  }

  /** Times and durations that are known before any row is read. */
  #shift(expr: Expr & { kind: 'shift' }, aggregates: true | string): Value {
    const steps: { sign: number; of: Expr }[] = [];
    let start: Expr = expr;
    // Not by recursion: a chain may be as long as a query.
    for (; start.kind === 'shift'; start = start.left) {
      steps.push({ sign: start.op === '+' ? 1 : -1, of: start.right });
    }
    const first = this.value(start, aggregates);
    if (first.op !== 'literal' || (first.kind !== 'time' && first.kind !== 'duration')) {
      const message = 'only times and durations are added up, such as now() - 1h';
      throw new QueryError('QUERY_TYPE', message, { span: start });
    }
    let { value } = first;
    for (const { sign, of } of steps.toReversed()) {
      const by = this.value(of, aggregates);
      if (by.op !== 'literal' || by.kind !== 'duration') {
        throw new QueryError('QUERY_TYPE', 'expected a duration, such as 1h or 30s', { span: of });
      }
      value += sign * by.value;
    }
    if (!Number.isSafeInteger(value)) throw tooGreat(expr);
    return { op: 'literal', kind: first.kind, value };
  }

  #side(expr: Expr, aggregates: true | string): Side {
    return {
      value: this.value(expr, aggregates),
      span: { offset: expr.offset, length: expr.length },
    };
  }

  #count(span: Span): void {
    this.#terms += 1;
    if (this.#terms <= QUERY_LIMITS.terms) return;
    const message = `a query has at most ${QUERY_LIMITS.terms} columns, conditions and values (beside those of lists)`;
    throw new QueryError('QUERY_TOO_LARGE', message, { span });
  }

  /** Each property, order or label is a look into another table. */
  #named(value: Value, span: Span): Value {
    const key = lookedUp(value);
    if (key === undefined) return value;
    this.#names.add(key);
    if (this.#names.size <= QUERY_LIMITS.names) return value;
    const message = `a query names at most ${QUERY_LIMITS.names} properties, desired values and labels`;
    throw new QueryError('QUERY_TOO_LARGE', message, { span });
  }
}

type ConditionTree = Exclude<Expr, Literal | { readonly kind: 'name' | 'call' | 'shift' }>;

const LITERALS: ReadonlySet<string> = new Set([
  'number',
  'duration',
  'text',
  'bool',
  'null',
  'json',
]);

function isPlainLiteral(expr: Expr): expr is Literal {
  return LITERALS.has(expr.kind);
}

/** @throws QueryError QUERY_VALUE, QUERY_TYPE */
function literalOf(literal: Literal): Value {
  switch (literal.kind) {
    case 'number':
      if (!Number.isFinite(literal.value)) throw tooGreat(literal);
      return { op: 'literal', kind: 'number', value: literal.value + 0 };
    case 'duration':
      if (!Number.isSafeInteger(literal.value)) throw tooGreat(literal);
      return { op: 'literal', kind: 'duration', value: literal.value };
    case 'text':
      return { op: 'literal', kind: 'text', value: literal.value };
    case 'bool':
      return { op: 'literal', kind: 'bool', value: literal.value };
    case 'null': {
      const message = 'NULL stands only in IS NULL and IS NOT NULL';
      throw new QueryError('QUERY_TYPE', message, { span: literal, suggestion: 'IS NULL' });
    }
    case 'json':
      throw new QueryError('QUERY_TYPE', 'JSON stands only in SET', { span: literal });
  }
}

function lookedUp(value: Value): string | undefined {
  if (value.op === 'label') return `l ${value.of} ${value.key}`;
  if (value.op !== 'property' && value.op !== 'desired' && value.op !== 'state') return undefined;
  return value.of === 'row' ? undefined : `${value.op === 'desired' ? 'd' : 'p'} ${value.of.name}`;
}

function constant(value: Value & { op: 'literal' }): number | string {
  return typeof value.value === 'boolean' ? Number(value.value) : value.value;
}

const CONDITIONS: ReadonlySet<string> = new Set([
  'and',
  'or',
  'not',
  'compare',
  'isnull',
  'in',
  'like',
  'truth',
]);

export function isCondition(value: Value): value is Condition {
  return CONDITIONS.has(value.op);
}

function isDrift(value: Value): boolean {
  return value.op === 'state' && value.state === 'drift';
}

function not(of: Value): Condition {
  return { op: 'not', kind: 'bool', of };
}

function tooGreat(span: Span): QueryError {
  return new QueryError('QUERY_VALUE', 'this is more than can be counted', { span });
}
