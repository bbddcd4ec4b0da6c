/**
 * Mirrors hold only what the model of their device has, so that queries need not ask models. What a model has no more waits as
 * a stray and comes back by itself with the property, for its edge may never have heard that it was gone.
 */
import { MAX_STRAYS, type Mirror, mirrorOf, type Mirrors } from './mirrors.ts';
import type { Names } from './names.ts';
import type { Owned } from './objects.ts';
import { among, type Sql, type SqlValue } from './sql.ts';
import { type MirrorRow, type StrayRow, STRAYS } from './tables.ts';

/** Devices, by a condition on `objects o`. */
interface Scope {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

type Properties = ReadonlySet<string>;

export interface FitParts {
  readonly sql: Sql;
  readonly names: Names;
  readonly mirrors: Mirrors;
  /** Hears how many values of a node found no room among what waits. */
  readonly forgot: (node: string, rows: number) => void;
}

export class Fit {
  readonly #sql: Sql;
  readonly #names: Names;
  readonly #mirrors: Mirrors;
  readonly #forgot: FitParts['forgot'];

  constructor(parts: FitParts) {
    this.#sql = parts.sql;
    this.#names = parts.names;
    this.#mirrors = parts.mirrors;
    this.#forgot = parts.forgot;
  }

  /** The device has this model from now on. */
  async device(n: number, has: Properties): Promise<void> {
    const scope = { text: 'o.n = $1', values: [n] };
    await this.#hide(scope, { has });
    await this.#show(scope, [...has]);
  }

  /** The model has other properties than before. Returns the devices of which something came or went. */
  async model(
    [namespace, name]: readonly [string, string],
    before: Properties | undefined,
    has: Properties,
  ): Promise<readonly Owned[]> {
    const scope = { text: 'o.namespace = $1 AND o.model = $2', values: [namespace, name] };
    const gone = before && [...before].filter((each) => !has.has(each));
    const come = [...has].filter((each) => before?.has(each) !== true);
    const hidden = await this.#hide(scope, gone ? { gone } : { has });
    const shown = await this.#show(scope, come);
    const changed = [...hidden, ...shown].map(({ n, node, device: id }): Owned => {
      return { n, id, node, model: `${namespace}/${name}` };
    });
    return [...new Map(changed.map((owned) => [owned.n, owned])).values()];
  }

  async #hide(
    { text, values }: Scope,
    what: { readonly has: Properties } | { readonly gone: readonly string[] },
  ): Promise<readonly Place[]> {
    const some = 'gone' in what;
    const names = some ? what.gone : [...what.has];
    const numbers = names.map((name) => this.#names.known(name)).filter((n) => n !== undefined);
    if (some && numbers.length === 0) return [];
    const place = `$${values.length + 1}`;
    const listed = among(this.#sql.dialect, 'm.prop', place, 'integer');
    const rows = await this.#sql.all<MirrorRow & Place & { readonly name: string }>(
      `SELECT m.*, p.name, o.n, o.node, o.id device FROM objects o JOIN mirrors m ON m.dev = o.n
        JOIN names p ON p.n = m.prop WHERE o.kind = 'Device' AND ${text} AND ${some ? '' : 'NOT '}(${listed})`,
      ...values,
      JSON.stringify(numbers),
    );
    if (rows.length === 0) return [];
    for (const [node, those] of Map.groupBy(rows, (row) => row.node)) {
      const room = Math.max(0, MAX_STRAYS - (await this.#mirrors.strays(node, MAX_STRAYS)));
      const strays = those.slice(0, room).map((row): StrayRow => {
        const { device, name: property } = row;
        return { node, device, property, row: JSON.stringify(mirrorOf(row)) };
      });
      await this.#sql.put(STRAYS, strays);
      if (those.length > room) this.#forgot(node, those.length - room);
    }
    for (const [prop, those] of Map.groupBy(rows, (row) => row.prop)) {
      await this.#sql.run(
        `DELETE FROM mirrors WHERE prop = $1 AND ${among(this.#sql.dialect, 'dev', '$2', 'integer')}`,
        prop,
        JSON.stringify(those.map(({ dev }) => dev)),
      );
    }
    return rows;
  }

  async #show({ text, values }: Scope, names: readonly string[]): Promise<readonly Place[]> {
    if (names.length === 0) return [];
    const place = `$${values.length + 1}`;
    const named = among(this.#sql.dialect, 's.property', place, 'text');
    const rows = await this.#sql.all<StrayRow & Place & { readonly model: string }>(
      `SELECT s.*, o.n, o.namespace || '/' || o.model AS model FROM objects o
        JOIN strays s ON s.node = o.node AND s.device = o.id WHERE o.kind = 'Device' AND ${text} AND ${named}`,
      ...values,
      JSON.stringify(names),
    );
    for (const [model, some] of Map.groupBy(rows, (row) => row.model)) {
      await this.#mirrors.back(
        model,
        some.map(({ n, property, row }) => ({ n, property, mirror: JSON.parse(row) as Mirror })),
      );
    }
    for (const [node, some] of Map.groupBy(rows, (row) => row.node)) {
      for (const [property, those] of Map.groupBy(some, (row) => row.property)) {
        await this.#sql.run(
          `DELETE FROM strays WHERE node = $1 AND property = $2 AND ${among(this.#sql.dialect, 'device', '$3', 'text')}`,
          node,
          property,
          JSON.stringify(those.map(({ device }) => device)),
        );
      }
    }
    return rows;
  }
}

interface Place {
  readonly n: number;
  readonly node: string;
  readonly device: string;
}
