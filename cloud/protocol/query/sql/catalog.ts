/** What the compiler has to know of the database beside what queries can be about. */
import type { Catalog } from '../catalog.ts';

export interface SqlCatalog extends Catalog {
  /** The property's number in the mirrors; undefined when none was ever reported. */
  number(name: string): number | undefined;
  /** Namespaces in which there is a model of this name. */
  namespaces(model: string): readonly string[];
  /** About how many rows there are. */
  readonly rows: {
    readonly devices: number;
    readonly properties: number;
    readonly nodes: number;
    readonly models: number;
  };
}
