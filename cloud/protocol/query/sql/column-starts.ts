/** Conditions on columns from which to start: which device it is, whose it is, which property. */
import type { Value } from '../typed.ts';
import type { SqlCatalog } from './catalog.ts';
import { type Dialect, Params, type SqlValue } from './dialect.ts';
import type { Candidate } from './starts.ts';
import { BASE } from './tables.ts';

type Of = 'devices' | 'properties';

/** Of devices, or of their properties. */
export function columnCandidate(source: Of, by: Value): Candidate | undefined {
  const asked = askedOf(by);
  if (asked === undefined) return undefined;
  const { name, values } = asked;
  const index = `${name} = ${values.length === 1 ? values[0] : `one of ${values.length}`}`;
  const column = Object.hasOwn(COLUMN, name) ? COLUMN[name] : undefined;
  if (column !== undefined) {
    const named = column === 'node' ? {} : ({ named: true } as const);
    return { index, ...named, ...deviceStart(source, column, values) };
  }
  if (source !== 'properties' || name !== 'property') return undefined;
  const count: Candidate['count'] = (dialect, catalog, most) =>
    ofNames(dialect, catalog, { values, most });
  // The database knows itself whether it begins with the property or, for the order, with the devices.
  return { index, count, start: () => BASE[source] };
}

const COLUMN: Readonly<Record<string, string>> = { device: 'id', name: 'name', node: 'node' };

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

function deviceStart(
  source: Of,
  column: string,
  values: readonly string[],
): Pick<Candidate, 'count' | 'start'> {
  const those = (params: Params): string => {
    const texts = values.map((each) => params.text(each)).join(', ');
    return `st.kind = 'Device' AND st.${column} IN (${texts})`;
  };
  return {
    count: (dialect, _, most) => {
      const params = new Params(dialect);
      const mirrors = source === 'properties' ? ' JOIN mirrors y ON y.dev = st.n' : '';
      return counting(`FROM objects st${mirrors} WHERE ${those(params)}`, params, most);
    },
    // Left to itself SQLite would read all devices, for they come in order then.
    start: (_, params) => {
      const { from, where } = BASE[source];
      const same = source === 'properties' ? 'p.dev = st.n' : 'o.n = st.n';
      return {
        from: `objects st CROSS JOIN ${from}`,
        where: `${those(params)} AND ${same} AND ${where}`,
      };
    },
  };
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
