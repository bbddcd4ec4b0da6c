/** The kinds of the API, as paths and discovery name them. */
import type { Kind } from '@limpet/dmi/manifest';

export const GROUP = 'limpet.dev';
export const GROUP_VERSION = 'limpet.dev/v1';

export interface KindNames {
  readonly kind: Kind;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
}

export const KINDS: Readonly<Record<Kind, KindNames>> = {
  Device: {
    kind: 'Device',
    plural: 'devices',
    singular: 'device',
    shortNames: ['dev'],
    namespaced: true,
  },
  DeviceModel: {
    kind: 'DeviceModel',
    plural: 'devicemodels',
    singular: 'devicemodel',
    shortNames: ['models', 'model', 'dm'],
    namespaced: true,
  },
  Node: {
    kind: 'Node',
    plural: 'nodes',
    singular: 'node',
    shortNames: [],
    namespaced: false,
  },
  Rollout: {
    kind: 'Rollout',
    plural: 'rollouts',
    singular: 'rollout',
    shortNames: ['ro'],
    namespaced: true,
  },
};

/** The kind whose plural this is. */
export function kindOfPlural(plural: string): KindNames | undefined {
  return Object.values(KINDS).find((names) => names.plural === plural);
}
