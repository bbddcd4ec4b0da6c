/** Which tables a query reads: each is joined once, when something of it is asked for. */
import type { PropertyRef, Source } from '../typed.ts';
import type { SqlCatalog } from './catalog.ts';
import type { Params } from './dialect.ts';

/** What every row starts with. */
export const BASE: Readonly<Record<Source, Start>> = {
  devices: { from: 'objects o', where: "o.kind = 'Device'" },
  // Its device is joined when something of it is asked for.
  properties: { from: 'mirrors p', where: 'p.quality IS NOT NULL' },
  nodes: { from: 'objects o', where: "o.kind = 'Node'" },
  models: { from: 'objects o', where: "o.kind = 'DeviceModel'" },
};

/** Where a query starts to read, instead of at all rows. */
export interface Start {
  readonly from: string;
  readonly where: string;
}

export class Tables {
  readonly #joins = new Map<string, string>();
  readonly #params: Params;
  readonly #catalog: SqlCatalog;
  readonly #source: Source;
  /** Aliases of what is joined under a user's name. */
  readonly #aliases = new Map<string, string>();

  constructor(source: Source, params: Params, catalog: SqlCatalog) {
    this.#source = source;
    this.#params = params;
    this.#catalog = catalog;
  }

  /** How many tables are looked up for each row. */
  get joined(): number {
    return this.#joins.size;
  }

  /** The resource itself. */
  object(): string {
    if (this.#source !== 'properties') return 'o';
    return this.#join('o', "JOIN objects o ON o.n = p.dev AND o.kind = 'Device'");
  }

  condition(): string {
    return this.#join('c', `LEFT JOIN conditions c ON c.n = ${this.object()}.n`);
  }

  node(): string {
    return this.#join('nd', `LEFT JOIN nodes nd ON nd.name = ${this.#nodeName()}`);
  }

  progress(): string {
    return this.#join('pr', `LEFT JOIN progress pr ON pr.node = ${this.#nodeName()}`);
  }

  /** The device's model as an object. */
  model(): string {
    const o = this.object();
    const on = `m.kind = 'DeviceModel' AND m.id = ${o}.namespace || '/' || ${o}.model`;
    return this.#join('m', `LEFT JOIN objects m ON ${on}`);
  }

  /** The resource's document, and its model's. */
  doc(): string {
    return `${this.#join('od', `LEFT JOIN docs od ON od.n = ${this.object()}.n`)}.doc`;
  }

  modelDoc(): string {
    return `${this.#join('md', `LEFT JOIN docs md ON md.n = ${this.model()}.n`)}.doc`;
  }

  propertyName(): string {
    return this.#join('pn', 'JOIN names pn ON pn.n = p.prop');
  }

  label(key: string, of: 'row' | 'node'): string {
    const owner = of === 'row' ? this.object() : this.#nodeObject();
    return this.#named('l', `${of} ${key}`, (alias) => {
      return `LEFT JOIN labels ${alias} ON ${alias}.n = ${owner}.n AND ${alias}.key = ${this.#params.text(key)}`;
    });
  }

  property(of: PropertyRef): string {
    if (of === 'row') return 'p';
    return this.#named('p', of.name, (alias) => {
      return `LEFT JOIN mirrors ${alias} ON ${alias}.dev = o.n AND ${alias}.prop = ${this.number(of.name)}`;
    });
  }

  /** Orders that are none, for they were withdrawn, are left out. */
  desired(of: PropertyRef): string {
    const device = this.object();
    const property = of === 'row' ? `${this.propertyName()}.name` : undefined;
    return this.#named('d', of === 'row' ? '' : of.name, (alias) => {
      const name = property ?? this.#params.text(of === 'row' ? '' : of.name);
      return `LEFT JOIN desired ${alias} ON ${alias}.device = ${device}.id AND ${alias}.property = ${name} AND ${alias}.value <> 'null'`;
    });
  }

  /** The property's number as a parameter; of one that nobody has reported, none that there is. */
  number(name: string): string {
    return this.#params.whole(this.#catalog.number(name) ?? -1);
  }

  /** A table under a user's name becomes the one that is read first. */
  startAt(table: 'p' | 'd' | 'l', name: string, on: (alias: string) => Start): Start {
    const alias = `${table}${this.#aliases.size}`;
    this.#aliases.set(`${table} ${name}`, alias);
    return on(alias);
  }

  /** After everything else has been asked for. */
  from(start: Start | undefined): string {
    const { from, where } = start ?? BASE[this.#source];
    return `FROM ${[from, ...this.#joins.values()].join(' ')} WHERE ${where}`;
  }

  #nodeName(): string {
    return `${this.object()}.${this.#source === 'nodes' ? 'name' : 'node'}`;
  }

  #nodeObject(): string {
    const on = `no.kind = 'Node' AND no.id = ${this.object()}.node`;
    return this.#join('no', `LEFT JOIN objects no ON ${on}`);
  }

  #join(alias: string, text: string): string {
    if (!this.#joins.has(alias)) this.#joins.set(alias, text);
    return alias;
  }

  #named(table: 'p' | 'd' | 'l', name: string, join: (alias: string) => string): string {
    const key = `${table} ${name}`;
    const known = this.#aliases.get(key);
    if (known !== undefined) return known;
    const alias = `${table}${this.#aliases.size}`;
    this.#aliases.set(key, alias);
    return this.#join(alias, join(alias));
  }
}
