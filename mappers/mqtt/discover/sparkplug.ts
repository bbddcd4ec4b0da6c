/** Sparkplug edge nodes and devices, by the births that they send when asked. */
import type { Found, PropertyType, SuggestedModel } from '@limpet/dmi';
import { decodePayload, type Metric, TYPE } from '../sparkplug/payload.ts';
import type { HeardTopics } from './heard.ts';

const BIRTH = /^spBv1\.0\/([^/]+)\/([ND])BIRTH\/([^/]+)(?:\/([^/]+))?$/;

export function* sparkplugDevices(heard: HeardTopics): Generator<Found> {
  for (const [topic, payload] of heard.all) {
    const [, group, , node, device] = BIRTH.exec(topic) ?? [];
    if (group === undefined || node === undefined) continue;
    const properties = metricsIn(payload).flatMap(propertiesOf);
    // Many nodes are nothing but the way to their devices.
    if (device === undefined && properties.length === 0) continue;
    yield {
      name: device ?? node,
      about: `Sparkplug ${device === undefined ? 'edge node' : 'device'} ${[group, node, device].filter(Boolean).join('/')}`,
      settings: {
        dialect: 'sparkplug-b',
        sparkplug: { group, node, ...(device !== undefined && { device }) },
      },
      model: { properties },
    };
  }
}

function metricsIn(payload: Buffer): readonly Metric[] {
  try {
    return decodePayload(payload).metrics ?? [];
  } catch {
    // Somebody's nonsense on a topic of Sparkplug: no device.
    return [];
  }
}

function propertiesOf(metric: Metric): SuggestedModel['properties'] {
  const { name, datatype = 0 } = metric;
  if (name === undefined || name === 'bdSeq' || name.startsWith('Node Control/')) return [];
  const [type, layout] = typesOf(datatype);
  const visitor = { metric: name, ...(layout !== 'number' && { type: layout }) };
  const path = name.split('/').slice(0, -1);
  return [{ name, path, type, access: 'read', ...unitIn(metric), visitor }];
}

function unitIn({ properties }: Metric): { readonly unit?: string } {
  const unit = properties?.values?.[properties.keys?.indexOf('engUnit') ?? -1]?.string;
  return unit === undefined || unit === '' ? {} : { unit };
}

function typesOf(datatype: number): readonly [PropertyType, string] {
  if (datatype <= TYPE.UInt64 || datatype === TYPE.DateTime) return ['int', 'number'];
  if (datatype === TYPE.Float || datatype === TYPE.Double) return ['float', 'number'];
  if (datatype === TYPE.Boolean) return ['bool', 'bool'];
  if (datatype === TYPE.Bytes || datatype === TYPE.File) return ['bytes', 'bytes'];
  const text = datatype === TYPE.String || datatype === TYPE.Text || datatype === TYPE.UUID;
  return text ? ['string', 'text'] : ['json', 'json'];
}
