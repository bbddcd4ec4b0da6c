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
  /** Texts and JSON that all devices reported, in bytes. */
  readonly valueBytes: number;
  /** Tombstones of removed resources: the newest are kept. */
  readonly tombstones: number;
}

export const LIMITS: Limits = {
  deviceProperties: 10_000,
  nodeProperties: 20_000,
  valueBytes: 16 * 2 ** 20,
  tombstones: 1_000,
};

/** What a device counts: its properties; one at least, for a device itself is no less. */
export function sizeOf(twins: Twins, id: Id): number {
  const device = twins.device(id);
  const model = device && twins.model(modelIdOf(device));
  return Math.max(1, model?.spec.properties.length ?? 0);
}

/**
 * The devices that do not fit. Those that run already and have not grown stay, so that what is declared later, or
 * grows, cannot drive them out; among the others whoever was declared first.
 */
export function refusals(twins: Twins, limits: Limits): ReadonlyMap<Id, Reason> {
  const refused = new Map<Id, Reason>();
  const [running, others]: [Id[], Id[]] = [[], []];
  let declared = 0;
  for (const { id, doc } of twins.resources.Device.values()) {
    if (doc === null) continue;
    const size = sizeOf(twins, id);
    declared += size;
    if (size > limits.deviceProperties) refused.set(id, tooLarge(size, limits));
    else if (size <= (twins.devices.get(id)?.admitted ?? 0)) running.push(id);
    else others.push(id);
  }
  let taken = 0;
  for (const id of [...running, ...others]) {
    const size = sizeOf(twins, id);
    if (taken + size <= limits.nodeProperties) taken += size;
    else refused.set(id, full(size, declared, limits));
  }
  return refused;
}

function tooLarge(size: number, { deviceProperties }: Limits): Reason {
  return {
    code: 'DEVICE_TOO_LARGE',
    message: `the model has ${size} properties, a device may have ${deviceProperties}: split the model`,
  };
}

function full(size: number, declared: number, { nodeProperties }: Limits): Reason {
  return {
    code: 'NODE_FULL',
    message: `${nodeProperties} properties fit into the memory of this node, ${declared} are declared, and there is no room left for the ${size} of this device: move devices to another node, remove properties, or raise memory.core in limpet.yaml`,
  };
}
