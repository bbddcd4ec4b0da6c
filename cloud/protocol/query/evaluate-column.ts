/** What a column of its own holds in a row. */
import type { Json } from '@limpet/dmi';
import { type FleetRow, idIn, msOf, propertiesOf } from './fleet.ts';

type Read = (row: FleetRow) => Json | undefined;

const resource = ({ device, node, model }: FleetRow) => device ?? node ?? model;

const READ: Readonly<Record<string, Read>> = {
  device: ({ device }) => device && idIn(device.metadata),
  namespace: (row) => (row.device ?? row.model)?.metadata.namespace ?? 'default',
  name: (row) => resource(row)?.metadata.name,
  uid: (row) => resource(row)?.metadata.uid,
  created: (row) => msOf(resource(row)?.metadata.creationTimestamp),
  description: (row) => resource(row)?.spec.description,
  labels: (row) => resource(row)?.metadata.labels ?? {},
  model: ({ device, model }) => device?.spec.model ?? model?.metadata.name,
  node: ({ device, node }) => device?.spec.node ?? node?.metadata.name,
  state: ({ device, node }) =>
    device ? (device.status?.state ?? 'connecting') : (node?.status?.state ?? 'offline'),
  reason: ({ device }) => device?.status?.reason?.code,
  last_seen: ({ device, node }) => msOf((device ?? node)?.status?.lastSeen),
  'node.state': ({ node }) => node?.status?.state ?? 'offline',
  'node.last_seen': ({ node }) => msOf(node?.status?.lastSeen),
  'model.protocol': ({ model }) => model?.spec.protocol,
  'model.description': ({ model }) => model?.spec.description,
  facts: ({ node }) => node?.status?.facts as unknown as Json | undefined,
  protocol: ({ model }) => model?.spec.protocol,
  property: ({ property }) => property,
};

export function columnIn(row: FleetRow, name: string): Json {
  if (name === 'properties') {
    return row.device ? propertiesOf(row.device) : (row.model?.spec.properties.length ?? 0);
  }
  return READ[name]?.(row) ?? null;
}
