/** What the load's nodes have: models, devices, and a value for each change that can be told from its number. */
import {
  API_VERSION,
  type Device,
  type DeviceModel,
  type NodeFacts,
  type PropertyTwin,
} from '@limpet/dmi/manifest';

type Value = NonNullable<PropertyTwin<number>['reported']>['value'];

interface Kept {
  readonly name: string;
  readonly type: 'float' | 'int' | 'bool' | 'string';
  readonly unit?: string;
}

/** What a machine hall's meter tells. */
export const PROPERTIES: readonly Kept[] = [
  { name: 'temperature', type: 'float', unit: 'Cel' },
  { name: 'pressure', type: 'float', unit: 'bar' },
  { name: 'flow', type: 'float', unit: 'l/min' },
  { name: 'level', type: 'float', unit: '%' },
  { name: 'power', type: 'float', unit: 'kW' },
  { name: 'current', type: 'float', unit: 'A' },
  { name: 'vibration', type: 'float', unit: 'mm/s' },
  { name: 'cycles', type: 'int' },
  { name: 'running', type: 'bool' },
  { name: 'mode', type: 'string' },
];

const MODELS = 20;
const HALLS = 50;
const MODES = ['idle', 'heating', 'holding', 'cooling', 'fault'];

export function models(): readonly DeviceModel[] {
  return Array.from({ length: MODELS }, (_, i) => ({
    apiVersion: API_VERSION,
    kind: 'DeviceModel',
    metadata: { name: `meter-${i}` },
    spec: {
      protocol: 'modbus',
      properties: PROPERTIES.map((property, address) => ({
        ...property,
        visitor: { register: 'input', address },
      })),
    },
  }));
}

/** The `index`th device of the `node`th node. */
export function deviceName(node: number, index: number): string {
  return `meter-${node}-${index}`;
}

export function nodeName(node: number): string {
  return `load-${node}`;
}

export function device(node: number, index: number): Device {
  return {
    apiVersion: API_VERSION,
    kind: 'Device',
    metadata: {
      name: deviceName(node, index),
      namespace: 'default',
      labels: { hall: `hall-${node % HALLS}`, line: `line-${index % 7}` },
    },
    spec: {
      model: `meter-${(node + index) % MODELS}`,
      node: nodeName(node),
      settings: { address: `tcp://10.0.0.${index % 250}:502`, unit: 1, timeout: '500ms' },
    },
  };
}

/** Floats spread evenly over 0..100, so that an index on values has something to do. */
export function valueOf(property: number, seq: number): Value {
  const spread = (seq * 0.618_033_988_749_895) % 1;
  switch (PROPERTIES[property]?.type) {
    case 'int':
      return seq;
    case 'bool':
      return spread < 0.5;
    case 'string':
      return MODES[Math.floor(spread * MODES.length)] ?? 'idle';
    case 'float':
    case undefined:
      return Math.round(spread * 100_000) / 1000;
  }
}

/** As much as a small board tells. */
export function facts(uptime: number): NodeFacts {
  const table = ['core', 'modbus', 'samples', 'twins'].map((what) => ({
    kind: 'memory' as const,
    what,
    budget: 48e6,
    now: 31e6,
    peak: 33e6,
    over: 0,
  }));
  return {
    architecture: 'arm64',
    board: 'Raspberry Pi 4 Model B Rev 1.5',
    os: 'Debian GNU/Linux 12 (bookworm)',
    versions: { limpet: '0.1.0', node: '24.21.0' },
    mappers: [
      {
        protocol: 'modbus',
        version: '0.1.0',
        hosting: 'inline',
        state: 'ready',
        restarts: 0,
        memory: 4e6,
        budget: 14e6,
      },
    ],
    budget: {
      ceiling: 96e6,
      rows: table,
      shed: [],
      enforced: { by: 'cgroup-v2' },
      lookMicroseconds: 300,
    },
    addresses: ['192.168.1.20', 'fe80::dea6:32ff:fe00:1'],
    uptime,
    memory: { total: 4e9, available: 3e9, private: 31e6, rss: 52e6 },
  };
}
