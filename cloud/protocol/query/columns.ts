/** The columns that rows have of themselves, by what is asked FROM; properties come beside them. */
import type { Kind, Source } from './typed.ts';

const OWN = {
  namespace: 'text',
  name: 'text',
  uid: 'text',
  created: 'time',
  description: 'text',
  labels: 'json',
} as const;

const DEVICE = {
  device: 'text',
  ...OWN,
  model: 'text',
  node: 'text',
  state: 'text',
  reason: 'text',
  last_seen: 'time',
  'node.state': 'text',
  'node.last_seen': 'time',
  'model.protocol': 'text',
  'model.description': 'text',
} as const;

const { namespace: _, ...OF_NODE } = OWN;

export const COLUMNS: Readonly<Record<Source, Readonly<Record<string, Kind>>>> = {
  devices: { ...DEVICE, properties: 'json' },
  properties: {
    ...DEVICE,
    property: 'text',
    value: 'any',
    quality: 'text',
    at: 'time',
    desired: 'any',
    verdict: 'text',
  },
  nodes: { node: 'text', ...OF_NODE, state: 'text', last_seen: 'time', facts: 'json' },
  models: { model: 'text', ...OWN, protocol: 'text', properties: 'number' },
};

/** What `*` stands for. */
export const STAR: Readonly<Record<Source, readonly string[]>> = {
  devices: ['device', 'model', 'node', 'state', 'last_seen', 'labels', 'properties'],
  properties: ['device', 'property', 'value', 'quality', 'at', 'desired', 'verdict'],
  nodes: ['node', 'state', 'last_seen', 'labels', 'facts'],
  models: ['namespace', 'model', 'protocol', 'properties', 'labels'],
};

/** What tells rows apart, and orders them where nothing else does. */
export const IDENTITY: Readonly<Record<Source, readonly string[]>> = {
  devices: ['device'],
  properties: ['device', 'property'],
  nodes: ['node'],
  models: ['namespace', 'model'],
};

/** Facts by a short name, and those that can be asked for without `facts.` or `node.`. */
export const FACT_NAMES: Readonly<Record<string, string>> = {
  arch: 'architecture',
  architecture: 'architecture',
  board: 'board',
  os: 'os',
  versions: 'versions',
  mappers: 'mappers',
  budget: 'budget',
  addresses: 'addresses',
  uptime: 'uptime',
  memory: 'memory',
};

const STATES = ['connecting', 'online', 'offline', 'misconfigured'];

/** All that these columns and functions can say. */
export const WORDS: Readonly<Record<string, readonly string[]>> = {
  state: STATES,
  'node.state': ['online', 'offline'],
  quality: ['good', 'stale', 'bad'],
  verdict: ['pending', 'applied', 'rejected', 'expired'],
};
