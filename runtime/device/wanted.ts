/** What a device is wanted to be, and what a change of it means for the open connection (pure). */
import { type Device, type DeviceModel } from '@limpet/dmi/manifest';
import { isDeepStrictEqual } from 'node:util';

/** The manifests that say what the device is. */
export interface Wanted {
  readonly device: Device;
  readonly model: DeviceModel | undefined;
}

/** Nothing that devices do depends on what is different (labels, descriptions, another order). */
export function sameWork(a: Wanted, b: Wanted): boolean {
  const [before, after] = [a.model?.spec, b.model?.spec];
  return (
    sameReach(a, b) &&
    isDeepStrictEqual(before?.properties, after?.properties) &&
    isDeepStrictEqual(before?.methods, after?.methods)
  );
}

/** The same connection serves both. */
export function sameReach(a: Wanted, b: Wanted): boolean {
  return (
    a.model?.spec.protocol === b.model?.spec.protocol &&
    isDeepStrictEqual(a.device.spec.settings, b.device.spec.settings)
  );
}
