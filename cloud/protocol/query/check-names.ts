/** Names to what they stand for: columns of the row first, then properties. */
import { nearest } from '@limpet/dmi/manifest';
import type { Catalog } from './catalog.ts';
import { COLUMNS, FACT_NAMES } from './columns.ts';
import { QueryError, quoted, type Span } from './error.ts';
import { QUERY_LIMITS } from './limits.ts';
import type { Name } from './tree.ts';
import type { Kind, Leaf, Path, PropertyRef, Source } from './typed.ts';

export interface Scope {
  readonly source: Source;
  readonly catalog: Catalog;
}

/** @throws QueryError QUERY_NAME, QUERY_TYPE, QUERY_TOO_LARGE */
export function resolve(scope: Scope, name: Name): Leaf {
  const [first, ...rest] = name.path;
  if (rest.length > QUERY_LIMITS.path) {
    const message = `a path has at most ${QUERY_LIMITS.path} steps`;
    throw new QueryError('QUERY_TOO_LARGE', message, { span: name });
  }
  refuseOddSteps(name);
  return named(scope, String(first), { rest, span: name, quoted: name.quoted });
}

interface Asked {
  readonly rest: Path;
  readonly span: Span;
  readonly quoted: boolean;
}

function named(scope: Scope, first: string, asked: Asked): Leaf {
  const { source } = scope;
  const { rest, span } = asked;
  if (first === 'labels' && rest.length > 0) return label(rest, span, 'row');
  if (source === 'nodes') return nodeName(scope, first, asked);
  if (source === 'models')
    return columnOf(source, first, rest) ?? refuse(unknown(scope, first, asked));
  if (first === 'node' && rest.length > 0) return ofNode(rest, span);
  if (source === 'devices') return ofDevice(scope, first, asked);
  const leaf = ofRow(first, rest) ?? columnOf(source, first, rest);
  return leaf ?? refuse(unknown(scope, first, asked));
}

function ofDevice(scope: Scope, first: string, asked: Asked): Leaf {
  const { rest, span } = asked;
  if (rest.length > 0 && (first === 'properties' || first === 'desired')) {
    const [property, ...path] = rest;
    const of = propertyRef(scope, String(property), span);
    return propertyLeaf(first === 'desired' ? 'desired' : 'property', of, { path, span });
  }
  const column = columnOf('devices', first, rest);
  if (column !== undefined) return column;
  if (isColumn('devices', first)) throw unknownPart(first, rest, span);
  if (scope.catalog.property(first) === undefined) throw unknown(scope, first, asked);
  return propertyLeaf('property', propertyRef(scope, first, span), { path: rest, span });
}

function refuse(error: QueryError): never {
  throw error;
}

/** A property by its name, for functions like `quality(x)` too. */
export function propertyRef({ catalog }: Scope, name: string, span: Span): PropertyRef {
  const known = catalog.property(name);
  if (known !== undefined) return { name, types: [...known.types].toSorted() };
  const suggestion = nearest(name, catalog.names());
  const message = `no model has a property ${quoted(name)}${hint(suggestion)}`;
  throw new QueryError('QUERY_NAME', message, { span, suggestion });
}

function propertyLeaf(
  op: 'property' | 'desired',
  of: PropertyRef,
  { path, span }: { readonly path: Path; readonly span: Span },
): Leaf {
  const types = of === 'row' ? [] : of.types;
  if (path.length > 0 && types.length > 0 && !types.includes('json')) {
    const name = of === 'row' ? 'value' : of.name;
    const message = `${quoted(name)} is of type ${types.join(' or ')}: only a property of type json has parts`;
    throw new QueryError('QUERY_TYPE', message, { span, suggestion: name });
  }
  const kind = path.length > 0 ? 'any' : kindOfTypes(types);
  return op === 'desired' ? { op, kind, of, path } : { op, kind, of, path };
}

function kindOfTypes(types: readonly string[]): Kind {
  const only = (...some: readonly string[]): boolean => types.every((type) => some.includes(type));
  if (types.length === 0) return 'any';
  if (only('int', 'float')) return 'number';
  if (only('bool')) return 'bool';
  return only('string', 'bytes') ? 'text' : 'any';
}

/** What rows of properties have beside what devices have. */
function ofRow(first: string, rest: Path): Leaf | undefined {
  if (first === 'value') return { op: 'property', kind: 'any', of: 'row', path: rest };
  if (first === 'desired') return { op: 'desired', kind: 'any', of: 'row', path: rest };
  if (rest.length > 0) return undefined;
  if (first === 'at') return { op: 'state', kind: 'time', state: 'at', of: 'row' };
  if (first !== 'quality' && first !== 'verdict') return undefined;
  return { op: 'state', kind: 'text', state: first, of: 'row' };
}

function columnOf(source: Source, first: string, rest: Path): Leaf | undefined {
  const name = [first, ...rest].join('.');
  const columns = COLUMNS[source];
  const kind = rest.length <= 1 && Object.hasOwn(columns, name) ? columns[name] : undefined;
  return kind && { op: 'column', kind, name };
}

function isColumn(source: Source, name: string): boolean {
  return Object.hasOwn(COLUMNS[source], name);
}

function label(rest: Path, span: Span, of: 'row' | 'node'): Leaf {
  const [key] = rest;
  if (rest.length === 1) return { op: 'label', kind: 'text', key: String(key), of };
  const suggestion = `labels."${rest.join('.')}"`;
  const message = `a label's name with dots is written in double quotes: ${suggestion}`;
  throw new QueryError('QUERY_NAME', message, { span, suggestion });
}

function ofNode(rest: Path, span: Span): Leaf {
  const [first, ...more] = rest;
  if (first === 'labels') return label(more, span, 'node');
  if (first === 'name' && more.length === 0) return { op: 'column', kind: 'text', name: 'node' };
  const column = columnOf('devices', 'node', rest);
  return column ?? fact(first === 'facts' && more.length > 0 ? more : rest, span);
}

function nodeName(scope: Scope, first: string, asked: Asked): Leaf {
  const { rest, span } = asked;
  if (first === 'facts' && rest.length > 0) return fact(rest, span);
  const column = columnOf('nodes', first, rest);
  if (column !== undefined) return column;
  if (first === 'node' && rest.length > 0)
    return nodeName(scope, String(rest[0]), { ...asked, rest: rest.slice(1) });
  if (!Object.hasOwn(FACT_NAMES, first)) throw unknown(scope, first, asked);
  return fact([first, ...rest], span);
}

/** @throws QueryError QUERY_NAME */
function fact([first, ...rest]: Path, span: Span): Leaf {
  const name = String(first);
  const full = Object.hasOwn(FACT_NAMES, name) ? FACT_NAMES[name] : undefined;
  if (full !== undefined) return { op: 'fact', kind: 'any', path: [full, ...rest] };
  const known = [...Object.keys(FACT_NAMES), 'state', 'last_seen', 'labels'];
  const near = nearest(name, known);
  const message = `nodes do not tell ${quoted(name)}; they tell ${known.join(', ')}${hint(near)}`;
  throw new QueryError('QUERY_NAME', message, { span, suggestion: near });
}

function unknownPart(first: string, rest: Path, span: Span): QueryError {
  const message = `${quoted(first)} is a column and has no part ${quoted(rest.join('.'))}; for a property of this name write properties.${first}`;
  return new QueryError('QUERY_NAME', message, { span, suggestion: `properties.${first}` });
}

function unknown(scope: Scope, first: string, { span, quoted: inQuotes }: Asked): QueryError {
  const { source, catalog } = scope;
  if (inQuotes) {
    const suggestion = `'${first.replaceAll("'", "''")}'`;
    const message = `no column or property ${quoted(first)}. For a text write single quotes: ${suggestion}`;
    return new QueryError('QUERY_NAME', message, { span, suggestion });
  }
  const columns = Object.keys(COLUMNS[source]);
  if (source === 'properties' && catalog.property(first) !== undefined) {
    const suggestion = `property = '${first}'`;
    const message = `FROM properties has a row for each property: write WHERE ${suggestion}, and value for what it holds`;
    return new QueryError('QUERY_NAME', message, { span, suggestion });
  }
  const properties = source === 'devices' ? [...catalog.names()] : [];
  const suggestion = nearest(first, [...columns, ...properties]);
  const [what, more] =
    source === 'devices'
      ? ['column or property', ', and the properties of models']
      : ['column', ''];
  const meant =
    suggestion === undefined
      ? `; a label would be labels.${first}, a text '${first}'.`
      : `${hint(suggestion)}`;
  const message = `no ${what} ${quoted(first)} in ${source}${meant} Columns are ${columns.join(', ')}${more}`;
  return new QueryError('QUERY_NAME', message, { span, suggestion });
}

/** Engines disagree on how to quote these in a path, and no JSON of ours has them. */
function refuseOddSteps({ path, ...span }: Name): void {
  const odd = path.find((step) => typeof step === 'string' && /["\\\p{Cc}\p{Cs}]/u.test(step));
  if (odd === undefined) return;
  const message = 'a name holds no double quotes, backslashes or control characters';
  throw new QueryError('QUERY_NAME', message, { span });
}

function hint(suggestion: string | undefined): string {
  return suggestion === undefined ? '' : `. Did you mean ${quoted(suggestion)}?`;
}
