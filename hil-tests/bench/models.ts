/** Device models for the bench. */
import type { DeviceModel } from '@limpet/dmi/manifest';

/** `count` input registers in a row, and one setpoint. */
export function sensors(name: string, count: number, every: string): DeviceModel {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'DeviceModel',
    metadata: { name },
    spec: {
      protocol: 'modbus',
      properties: [
        ...Array.from({ length: count }, (_, i) => ({
          name: `sensor-${i}`,
          type: 'int' as const,
          every,
          visitor: { register: 'input', address: i },
        })),
        {
          name: 'setpoint',
          type: 'int',
          access: 'readWrite',
          every,
          visitor: { register: 'holding', address: 0 },
        },
      ],
    },
  };
}
