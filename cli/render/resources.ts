/** Resources as table rows, one line each. */
import type { Device, DeviceModel, DeviceState, Node, Resource } from '@limpet/dmi/manifest';
import { rolloutCells, rolloutWide } from './rollouts.ts';
import { type Cell, cell, type Table, type Tone } from './table.ts';
import { ageText, mebibytes, since } from './words.ts';

export interface Look {
  readonly now: number;
  /** Whether to show the namespace. */
  readonly namespaces: boolean;
  readonly wide: boolean;
}

const STATES: Readonly<Record<DeviceState | 'unknown', Tone>> = {
  online: 'good',
  connecting: 'warn',
  offline: 'bad',
  misconfigured: 'bad',
  unknown: 'dim',
};

const HEADS = {
  Device: ['NAME', 'STATE', 'MODEL', 'NODE', 'LAST SEEN', 'AGE'],
  DeviceModel: ['NAME', 'PROTOCOL', 'PROPERTIES', 'AGE'],
  Node: ['NAME', 'STATE', 'LIMPET', 'ARCHITECTURE', 'UPTIME', 'LAST SEEN'],
  Rollout: ['NAME', 'PHASE', 'APPLIED', 'FAILED', 'BATCH', 'AGE'],
} as const;

const WIDE = {
  Device: ['LABELS', 'REASON'],
  DeviceModel: ['WRITABLE', 'DESCRIPTION'],
  Node: ['BOARD', 'OS', 'NODE.JS', 'PRIVATE', 'RSS', 'ADDRESSES', 'MAPPERS'],
  Rollout: ['QUERY', 'REASON'],
} as const;

function resourceHead(kind: Resource['kind'], look: Look): string[] {
  const space = look.namespaces && kind !== 'Node' ? ['NAMESPACE'] : [];
  return [...space, ...HEADS[kind], ...(look.wide ? WIDE[kind] : [])];
}

export function resourceTable(
  kind: Resource['kind'],
  resources: readonly Resource[],
  look: Look,
): Table {
  return {
    head: resourceHead(kind, look),
    rows: resources.map((resource) => resourceRow(resource, look)),
  };
}

function resourceRow(resource: Resource, look: Look): Cell[] {
  const space =
    look.namespaces && resource.kind !== 'Node' ? [cell(resource.metadata.namespace ?? '')] : [];
  return [...space, cell(resource.metadata.name), ...columns(resource, look)];
}

function columns(resource: Resource, look: Look): Cell[] {
  switch (resource.kind) {
    case 'Device':
      return [...deviceCells(resource, look.now), ...(look.wide ? deviceWide(resource) : [])];
    case 'DeviceModel':
      return [...modelCells(resource, look.now), ...(look.wide ? modelWide(resource) : [])];
    case 'Node':
      return [...nodeCells(resource, look.now), ...(look.wide ? nodeWide(resource) : [])];
    case 'Rollout':
      return [...rolloutCells(resource, look.now), ...(look.wide ? rolloutWide(resource) : [])];
  }
}

function deviceCells({ metadata, spec, status }: Device, now: number): Cell[] {
  const state = status?.state ?? 'unknown';
  return [
    cell(state, STATES[state]),
    cell(spec.model),
    cell(spec.node),
    cell(since(status?.lastSeen, now)),
    cell(since(metadata.creationTimestamp, now)),
  ];
}

function deviceWide({ metadata, status }: Device): Cell[] {
  const labels = Object.entries(metadata.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  const reason = status?.reason;
  return [
    cell(labels.join(',') || '-'),
    cell(reason === undefined ? '' : `${reason.code}: ${reason.message}`, 'dim'),
  ];
}

function modelCells({ metadata, spec }: DeviceModel, now: number): Cell[] {
  return [
    cell(spec.protocol),
    cell(String(spec.properties.length)),
    cell(since(metadata.creationTimestamp, now)),
  ];
}

function modelWide({ spec }: DeviceModel): Cell[] {
  const writable = spec.properties.filter(({ access }) => access === 'readWrite');
  return [cell(writable.map(({ name }) => name).join(',') || '-'), cell(spec.description ?? '')];
}

function nodeCells({ status }: Node, now: number): Cell[] {
  const facts = status?.facts;
  const state = status?.state ?? 'unknown';
  return [
    cell(state, STATES[state]),
    cell(facts?.versions.limpet ?? '-'),
    cell(facts?.architecture ?? '-'),
    cell(facts === undefined ? '-' : ageText(facts.uptime * 1000)),
    cell(since(status?.lastSeen, now)),
  ];
}

function nodeWide({ status }: Node): Cell[] {
  const facts = status?.facts;
  if (facts === undefined) return WIDE.Node.map(() => cell('-'));
  const mappers = facts.mappers.map(({ protocol, version }) => `${protocol} ${version}`);
  return [
    cell(facts.board),
    cell(facts.os),
    cell(facts.versions.node),
    cell(mebibytes(facts.memory.private)),
    cell(mebibytes(facts.memory.rss)),
    cell(facts.addresses.join(',') || '-'),
    cell(mappers.join(',') || '-'),
  ];
}
