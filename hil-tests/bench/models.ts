/** Device models for the bench. */
import type { DeviceModel, Property } from '@limpet/dmi/manifest';

/** `count` input registers in a row, and one setpoint. */
export function sensors(name: string, count: number, every: string): DeviceModel {
  const setpoint: Property = {
    name: 'setpoint',
    type: 'int',
    access: 'readWrite',
    every,
    visitor: { register: 'holding', address: 0 },
  };
  return model(name, [...inputs(count, every), setpoint]);
}

/** `count` input registers in a row, and nothing else. */
export function readOnly(name: string, count: number, every: string): DeviceModel {
  return model(name, inputs(count, every));
}

function inputs(count: number, every: string): readonly Property[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `sensor-${i}`,
    type: 'int' as const,
    every,
    visitor: { register: 'input', address: i },
  }));
}

function model(name: string, properties: readonly Property[]): DeviceModel {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'DeviceModel',
    metadata: { name },
    spec: { protocol: 'modbus', properties },
  };
}
