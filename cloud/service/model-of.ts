/** The model that a device names, within its own namespace. */
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import type { Writing } from './store/store.ts';

/** `undefined`: it is not known here. */
export async function modelOf(
  objects: Writing['objects'],
  { metadata: { namespace = 'default' }, spec }: Device,
): Promise<DeviceModel | undefined> {
  const model = await objects.get('DeviceModel', `${namespace}/${spec.model}`);
  return model?.doc.kind === 'DeviceModel' ? model.doc : undefined;
}
