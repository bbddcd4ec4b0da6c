/** What the API is made of, as Kubernetes clients ask for it before anything else. */
import type { Json } from '@limpet/dmi';
import { GROUP, GROUP_VERSION, KINDS } from './kinds.ts';

const VERSION = { groupVersion: GROUP_VERSION, version: 'v1' };
const API_GROUP = { name: GROUP, versions: [VERSION], preferredVersion: VERSION };

/** A discovery document; `undefined` when the path is not one. `version` is Limpet's own. */
export function discovery(path: string, version: string): Json | undefined {
  switch (path) {
    case '/api':
      return { kind: 'APIVersions', versions: [], serverAddressByClientCIDRs: [] };
    case '/apis':
      return { kind: 'APIGroupList', apiVersion: 'v1', groups: [API_GROUP] };
    case `/apis/${GROUP}`:
      return { kind: 'APIGroup', apiVersion: 'v1', ...API_GROUP };
    case `/apis/${GROUP_VERSION}`:
      return {
        kind: 'APIResourceList',
        apiVersion: 'v1',
        groupVersion: GROUP_VERSION,
        resources: Object.values(KINDS).map((names) => ({
          name: names.plural,
          singularName: names.singular,
          shortNames: names.shortNames,
          namespaced: names.namespaced,
          kind: names.kind,
          verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
        })),
      };
    case '/version': {
      const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(version) ?? [];
      return { major, minor, gitVersion: `v${version}`, platform: 'limpet' };
    }
    default:
      return undefined;
  }
}
