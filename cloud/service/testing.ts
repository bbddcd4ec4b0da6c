/** What the tests of this room share: a boiler, a clock that is told the time, a silent log. */
import { createHash } from 'node:crypto';
import process from 'node:process';
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
import { parseTarget, type Target as Database } from './store/postgres/target.ts';

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

/** Of a store under test: a schema of the PostgreSQL that `LIMPET_TEST_STORE` names, the same for the same file. */
export function urlOf(file: string): string | undefined {
  const url = process.env['LIMPET_TEST_STORE'];
  if (!url) return undefined;
  return `${url}&schema=test_${createHash('sha256').update(file).digest('hex').slice(0, 20)}`;
}

/** Where a store under test is: the file, or what stands in its place. */
export function placeOf(file: string): string | Database {
  const url = urlOf(file);
  return url === undefined ? file : parseTarget(url, { env: {} });
}

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
