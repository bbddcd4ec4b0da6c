/** What the API is made of, as Kubernetes clients ask for it before anything else. */
import type { Json } from '@limpet/dmi';
import { type Accepted, acceptedBy } from './accept.ts';
import type { Backend } from './backend.ts';
import { GROUP, GROUP_VERSION, KINDS } from './kinds.ts';

export interface DiscoveryOptions {
  /** Limpet's own. */
  readonly version: string;
  readonly writes: Backend['writes'];
  readonly accept: string | undefined;
}

interface ResourceNames {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly categories: readonly string[];
}

const VERSION = { groupVersion: GROUP_VERSION, version: 'v1' };
const API_GROUP = { name: GROUP, versions: [VERSION], preferredVersion: VERSION };
const LOOKING = ['get', 'list', 'watch'];
const READING = [...LOOKING, 'patch', 'update'];
const ALL = ['create', 'delete', 'deletecollection', ...READING];

/** What Kubernetes clients expect of every cluster, as far as it means something here. */
const CORE: readonly ResourceNames[] = [
  {
    kind: 'Namespace',
    plural: 'namespaces',
    singular: 'namespace',
    shortNames: ['ns'],
    namespaced: false,
    verbs: ['get', 'list'],
    categories: [],
  },
  {
    kind: 'Event',
    plural: 'events',
    singular: 'event',
    shortNames: ['ev'],
    namespaced: true,
    verbs: ['list'],
    categories: [],
  },
];

/** A discovery document and its media type. */
export function discovery(
  path: string,
  options: DiscoveryOptions,
): { readonly document: Json; readonly type?: string } {
  const version = aggregatedVersion(options.accept);
  if (version !== undefined && (path === '/api' || path === '/apis')) {
    const type = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
    return { type, document: aggregated(path, version, options) };
  }
  return { document: plain(path, options) };
}

function plain(path: string, { version, writes }: DiscoveryOptions): Json {
  switch (path) {
    case '/api':
      return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
    case '/api/v1':
      return resourceList('v1', CORE);
    case '/apis':
      return { kind: 'APIGroupList', apiVersion: 'v1', groups: [API_GROUP] };
    case `/apis/${GROUP}`:
      return { kind: 'APIGroup', apiVersion: 'v1', ...API_GROUP };
    case `/apis/${GROUP_VERSION}`:
      return resourceList(GROUP_VERSION, ours(writes));
    default: {
      const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(version) ?? [];
      return { major, minor, gitVersion: `v${version}`, platform: 'limpet' };
    }
  }
}

function ours(writes: Backend['writes']): readonly ResourceNames[] {
  return Object.values(KINDS).map((names) => {
    const some = names.kind === 'Device' ? READING : LOOKING;
    return { ...names, verbs: writes === 'all' ? ALL : some, categories: ['all', 'limpet'] };
  });
}

function resourceList(groupVersion: string, resources: readonly ResourceNames[]): Json {
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion,
    resources: resources.map(({ plural, singular, ...names }) => {
      return { name: plural, singularName: singular, ...names };
    }),
  };
}

/** The version of aggregated discovery that is asked for, where it is. */
function aggregatedVersion(accept: string | undefined): string | undefined {
  const wanted = acceptedBy(accept).find((entry) => isAggregated(entry));
  return wanted?.parameters.get('v');
}

function isAggregated({ parameters }: Accepted): boolean {
  const version = parameters.get('v');
  return (
    parameters.get('as') === 'APIGroupDiscoveryList' &&
    parameters.get('g') === 'apidiscovery.k8s.io' &&
    (version === 'v2' || version === 'v2beta1')
  );
}

/** Everything at once: saves a client a request for each group. */
function aggregated(path: string, version: string, { writes }: DiscoveryOptions): Json {
  const [name, resources] = path === '/api' ? ['', CORE] : [GROUP, ours(writes)];
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: [
      {
        metadata: { name, creationTimestamp: null },
        versions: [
          {
            version: 'v1',
            freshness: 'Current',
            resources: resources.map((each) => aggregatedResource(name, each)),
          },
        ],
      },
    ],
  };
}

function aggregatedResource(
  group: string,
  { kind, plural, singular, shortNames, namespaced, verbs, categories }: ResourceNames,
): Json {
  return {
    resource: plural,
    responseKind: { group, version: 'v1', kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    shortNames,
    categories,
  };
}
