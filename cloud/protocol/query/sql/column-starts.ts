/**
 * Conditions on columns to which the database finds its way by itself, by indexes that are there for others too: counted, so
 * that what reads little is neither refused nor told as if it read everything.
 */
import type { Value } from '../typed.ts';
import type { SqlCatalog } from './catalog.ts';
import { type Dialect, Params, type SqlValue } from './dialect.ts';
import type { Candidate } from './starts.ts';
import { BASE } from './tables.ts';

/** Of devices, or of their properties. */
export function columnCandidate(
  source: 'devices' | 'properties',
  by: Value,
): Candidate | undefined {
  const asked = askedOf(by);
  if (asked === undefined) return undefined;
  const { name, values } = asked;
  const column = Object.hasOwn(COLUMN, name) ? COLUMN[name] : undefined;
  const ofProperty = source === 'properties' && name === 'property';
  if (column === undefined && !ofProperty) return undefined;
  return {
    index: `${name} = ${values.length === 1 ? values[0] : `one of ${values.length}`}`,
    count: (dialect, catalog, most) => {
      if (column === undefined) return ofNames(dialect, catalog, { values, most });
      const params = new Params(dialect);
      const mirrors = source === 'properties' ? ' JOIN mirrors y ON y.dev = x.n' : '';
      const texts = values.map((each) => params.text(each)).join(', ');
      const where = `x.kind = 'Device' AND x.${column} IN (${texts})`;
      return counting(`FROM objects x${mirrors} WHERE ${where}`, params, most);
    },
    start: () => BASE[source],
  };
}

const COLUMN: Readonly<Record<string, string>> = {
  device: 'id',
  node: 'node',
  namespace: 'namespace',
};

interface Asked {
  readonly name: string;
  readonly values: readonly string[];
}

/** A column that has to be one of these texts. */
function askedOf(by: Value): Asked | undefined {
  if (by.op === 'in' && by.of.op === 'column') {
    return { name: by.of.name, values: by.items.map(String) };
  }
  if (by.op !== 'compare' || by.by !== '=') return undefined;
  const [column, literal] = by.left.op === 'column' ? [by.left, by.right] : [by.right, by.left];
  if (column.op !== 'column' || literal.op !== 'literal') return undefined;
  return { name: column.name, values: [String(literal.value)] };
}

function ofNames(
  dialect: Dialect,
  catalog: SqlCatalog,
  { values, most }: { readonly values: readonly string[]; readonly most: number },
): ReturnType<typeof counting> {
  const params = new Params(dialect);
  const numbers = values.map((name) => params.whole(catalog.number(name) ?? -1));
  return counting(`FROM mirrors x WHERE x.prop IN (${numbers.join(', ')})`, params, most);
}

/** How many rows, up to `most`. */
export function counting(
  from: string,
  params: Params,
  most: number,
): { readonly text: string; readonly values: readonly SqlValue[] } {
  const text = `SELECT count(*) AS n FROM (SELECT 1 AS one ${from} LIMIT ${params.whole(most)}) few`;
  return { text, values: params.values };
}
