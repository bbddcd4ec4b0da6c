/** What the simulated fleet is made of: small, so that things meet often. */
import type { Device, DeviceModel, NodeFacts } from '@limpet/dmi/manifest';

export const NODES = ['n1', 'n2'] as const;
export const DEVICES = ['default/d1', 'default/d2', 'default/d3'] as const;
/** Declared in the files of the first node, never by the cloud. */
export const LOCAL = 'default/local';
export const PROPERTIES = ['a', 'b'] as const;

export const FACTS: NodeFacts = {
  architecture: 'arm64',
  board: 'simulated',
  os: 'none',
  versions: { limpet: '0.1.0', node: '24' },
  mappers: [],
  addresses: [],
  uptime: 1,
  memory: { total: 1, available: 1, private: 1, rss: 1 },
};

export function model(description: string, name = 'm'): DeviceModel {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'DeviceModel',
    metadata: { name, namespace: 'default' },
    spec: {
      protocol: 'modbus',
      description,
      properties: PROPERTIES.map((property) => ({
        name: property,
        type: 'int',
        access: 'readWrite',
        visitor: {},
      })),
    },
  };
}

export function device(id: string, node: string, description: string): Device {
  const name = id.slice(id.indexOf('/') + 1);
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'Device',
    metadata: { name, namespace: 'default' },
    spec: { model: id === LOCAL ? 'lm' : 'm', node, description, settings: {} },
  };
}
