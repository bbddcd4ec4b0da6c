/** The nodes of a cloud, or the one of an edge. */
import type { Node } from '@limpet/dmi/manifest';
import type { Api } from './api.ts';

/** @throws ApiError NotFound for a name that no node has */
export async function nodesOf(api: Api, name: string | undefined): Promise<readonly Node[]> {
  const found =
    name === undefined
      ? (await api.list('Node', {})).items
      : [await api.get({ kind: 'Node', name })];
  return found.filter((resource) => resource.kind === 'Node');
}
