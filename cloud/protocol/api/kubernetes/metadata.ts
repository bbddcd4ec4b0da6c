/** Resources without spec and status, for clients that only count, label or collect. */
import type { Metadata } from '@limpet/dmi/manifest';
import type { Shape } from '../shape.ts';

const TYPE = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' };

/** What Kubernetes calls PartialObjectMetadata. */
export function metadataOf({ metadata }: { readonly metadata: object }): object {
  return { ...TYPE, metadata: metadata as Metadata };
}

export const METADATA: Shape = {
  opening: () => '{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","items":[',
  item: metadataOf,
  single: metadataOf,
  watched: () => metadataOf,
};
