/** Answers what the API asks about the past of a property. */
import type { DeviceModel } from '@limpet/dmi/manifest';
import {
  answerPast,
  ApiError,
  badRequest,
  keyOf,
  noDevice,
  noProperty,
  type SampleList,
  type SamplesQuery,
  type Target,
} from '#protocol/api';
import { pastSpan } from './history/as-of.ts';
import { pastSource } from './history/source.ts';
import type { CloudStore } from './store/store.ts';
import { namesNear } from './why.ts';

/** @throws ApiError NotFound, BadRequest */
export async function samplesOf(
  store: Pick<CloudStore, 'read' | 'now'>,
  { target, property }: { readonly target: Target; readonly property: string },
  query: SamplesQuery,
): Promise<SampleList> {
  if (target.kind !== 'Device') throw badRequest('only devices have a past');
  const device = keyOf(target);
  const source = await pastSource(store, device, property);
  if (source !== undefined) {
    return answerPast(source, { device, property }, { query, now: store.now() });
  }
  throw await store.read(async ({ sql, objects }) => {
    const held = await objects.get('Device', device);
    if (held?.doc.kind !== 'Device') return noDevice(target, await namesNear(sql, target));
    if ((await pastSpan(sql)) === undefined) {
      return new ApiError(
        'NotFound',
        'this cloud keeps no history: start it without --history off',
      );
    }
    const { namespace = 'default' } = held.doc.metadata;
    const model = await objects.get('DeviceModel', `${namespace}/${held.doc.spec.model}`);
    return unknown(target, property, model?.doc.kind === 'DeviceModel' ? model.doc : undefined);
  });
}

function unknown(target: Target, property: string, model: DeviceModel | undefined): ApiError {
  const names = model?.spec.properties.map(({ name }) => name) ?? [];
  return names.includes(property)
    ? new ApiError('NotFound', `nothing was ever reported of "${property}"`)
    : noProperty(target, property, names);
}
