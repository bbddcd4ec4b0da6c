/** What a query can be about: what models declare and devices have told. Whoever answers queries knows it. */
import type { PropertyType } from '@limpet/dmi';

/** What all models together say of the properties of one name. */
export interface CatalogProperty {
  /** Empty when devices report it and no model that is known has it. */
  readonly types: ReadonlySet<PropertyType>;
  /** Where all models agree. */
  readonly unit?: string;
  /** Some model lets it be set. */
  readonly writable: boolean;
}

export interface Catalog {
  /** Undefined: neither a model nor a device has one of this name. */
  property(name: string): CatalogProperty | undefined;
  /** For suggestions. */
  names(): Iterable<string>;
}

/** One model's word on one property. */
export interface Declared {
  readonly name: string;
  readonly type: PropertyType;
  readonly unit?: string;
  readonly access?: 'read' | 'readWrite';
}

/** A catalog of what models declare; `reported` are names that devices use beyond that. */
export function catalogOf(declared: Iterable<Declared>, reported: Iterable<string> = []): Catalog {
  const known = new Map<
    string,
    { types: Set<PropertyType>; units: Set<string>; writable: boolean }
  >();
  const of = (name: string) => {
    const entry = known.get(name) ?? { types: new Set(), units: new Set(), writable: false };
    known.set(name, entry);
    return entry;
  };
  for (const { name, type, unit = '', access } of declared) {
    const entry = of(name);
    entry.types.add(type);
    entry.units.add(unit);
    entry.writable ||= access === 'readWrite';
  }
  for (const name of reported) of(name);
  return {
    property: (name) => {
      const entry = known.get(name);
      if (entry === undefined) return undefined;
      const [unit] = entry.units.size === 1 ? entry.units : [];
      return { types: entry.types, writable: entry.writable, ...(unit && { unit }) };
    },
    names: () => known.keys(),
  };
}
