/**
 * How much one node takes on. A device beyond the limits is kept and shown as misconfigured with the reason,
 * but not run; the others are not affected.
 */
import { type Id, type Reason } from '@limpet/dmi/manifest';
import { modelIdOf, type Twins } from './twins.ts';

export interface Limits {
  /** Properties of one device. */
  readonly deviceProperties: number;
  /** Properties of all devices; also the most devices, the most models, and the most twins. */
  readonly nodeProperties: number;
  /** Tombstones of removed resources: the newest are kept. */
  readonly tombstones: number;
}

export const LIMITS: Limits = {
  deviceProperties: 10_000,
  nodeProperties: 20_000,
  tombstones: 1_000,
};

/** The devices that do not fit, longest known first served. */
export function refusals(twins: Twins, limits: Limits): ReadonlyMap<Id, Reason> {
  const refused = new Map<Id, Reason>();
  let total = 0;
  for (const { id, doc } of twins.resources.Device.values()) {
    const device = doc && twins.device(id);
    if (!device) continue;
    const size = Math.max(1, twins.model(modelIdOf(device))?.spec.properties.length ?? 0);
    if (size > limits.deviceProperties) {
      refused.set(id, {
        code: 'DEVICE_TOO_LARGE',
        message: `the model has ${size} properties, a device may have ${limits.deviceProperties}: split the model`,
      });
    } else if (total + size > limits.nodeProperties) {
      refused.set(id, {
        code: 'NODE_FULL',
        message: `${total} of the ${limits.nodeProperties} properties of this node are taken and this device needs ${size}: move devices to another node`,
      });
    } else {
      total += size;
    }
  }
  return refused;
}
