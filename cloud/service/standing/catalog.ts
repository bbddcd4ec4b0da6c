/** What standing queries can be about: as others have it, but that nothing is counted, for that takes time. */
import type { SqlCatalog } from '#protocol/query';
import { declaredIn, markOf } from '../query/catalog.ts';
import type { StandingReads } from './reads.ts';

const UNCOUNTED = { devices: 0, properties: 0, nodes: 0, models: 0 };

/** The same object while no model has changed and no property has a new name. */
export function catalogs(look: StandingReads['look']): () => Promise<SqlCatalog> {
  let known: { readonly mark: string; readonly catalog: SqlCatalog } | undefined;
  return () =>
    look(async (sql) => {
      const mark = await markOf(sql);
      if (known?.mark !== mark) {
        known = { mark, catalog: { ...(await declaredIn(sql)), rows: UNCOUNTED } };
      }
      return known.catalog;
    });
}
