/** What the tests of this room share: a boiler, a clock that is told the time, a silent log. */
import type { Clock, Log } from '@limpet/dmi';
import type { Device, DeviceModel, NodeFacts, Resource } from '@limpet/dmi/manifest';
import {
  type Backend,
  creation,
  type Document,
  merging,
  ordersOf,
  replacement,
  type Target,
} from '#protocol/api';

export const BOILER: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'boiler', namespace: 'default' },
  spec: {
    protocol: 'modbus',
    properties: [
      { name: 'temperature', type: 'float', unit: 'Cel', visitor: { address: 0 } },
      {
        name: 'setpoint',
        type: 'float',
        access: 'readWrite',
        minimum: 20,
        maximum: 90,
        visitor: { address: 10 },
      },
      { name: 'pump', type: 'bool', access: 'readWrite', visitor: { address: 4 } },
    ],
  },
};

export const BOILER_1: Device = {
  apiVersion: 'limpet.dev/v1',
  kind: 'Device',
  metadata: { name: 'boiler-1', namespace: 'default', labels: { hall: 'north' } },
  spec: {
    model: 'boiler',
    node: 'gateway-1',
    settings: { address: 'tcp://127.0.0.1:5020', unit: 1 },
    desired: { setpoint: 55, pump: true },
  },
};

export const FACTS: NodeFacts = {
  architecture: 'arm64',
  board: 'test',
  os: 'linux',
  versions: { limpet: '0.1.0', node: '24' },
  mappers: [{ protocol: 'modbus', version: '0.1.0' }],
  addresses: ['127.0.0.1'],
  uptime: 1,
  memory: { total: 1, available: 1, private: 1, rss: 1 },
};

export const silent: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silent,
};

/** A clock whose hands the test moves. */
export function clockAt(ms: number): Pick<Clock, 'now' | 'monotonic'> & {
  advance(ms: number): void;
} {
  let now = ms;
  return {
    now: () => now,
    monotonic: () => now,
    advance: (by) => {
      now += by;
    },
  };
}

/** What the front makes of POST, PUT and a merge PATCH. */
export interface Writes {
  create(target: Target, doc: Document): Promise<Resource>;
  replace(target: Target, doc: Document): Promise<Resource>;
  patch(target: Target, patch: Document, wish?: { expiresMs?: number }): Promise<Resource>;
}

export function writesTo(backend: Backend): Writes {
  return {
    create: async (target, doc) => backend.write(target, creation(target, doc), {}),
    replace: async (target, doc) => backend.write(target, replacement(target, doc), {}),
    patch: async (target, patch, wish = {}) =>
      backend.write(target, merging(target, patch), { ...wish, orders: ordersOf(patch) }),
  };
}
