/** Resources as the API shows them, as the rows that queries are about. */
import type { Json } from '@limpet/dmi';
import type { Device, DeviceModel, Node, PropertyTwin } from '@limpet/dmi/manifest';
import type { Source } from './typed.ts';

/** All there is, as `get` shows it. Each part may be read several times. */
export interface Fleet {
  devices(): Iterable<Device>;
  nodes(): Iterable<Node>;
  models(): Iterable<DeviceModel>;
}

/** One row. `property` where the rows are properties. */
export interface FleetRow {
  readonly device?: Device;
  readonly node?: Node | undefined;
  readonly model?: DeviceModel | undefined;
  readonly property?: string;
}

export function* rowsOf(fleet: Fleet, source: Source): Generator<FleetRow> {
  switch (source) {
    case 'nodes':
      for (const node of fleet.nodes()) yield { node };
      return;
    case 'models':
      for (const model of fleet.models()) yield { model };
      return;
    case 'devices':
      yield* devicesOf(fleet);
      return;
    case 'properties':
      for (const row of devicesOf(fleet)) {
        for (const [property, { reported }] of Object.entries(row.device.status?.twin ?? {})) {
          if (reported !== undefined) yield { ...row, property };
        }
      }
  }
}

function* devicesOf(fleet: Fleet): Generator<FleetRow & { readonly device: Device }> {
  const nodes = new Map([...fleet.nodes()].map((node) => [node.metadata.name, node]));
  const models = new Map([...fleet.models()].map((model) => [idIn(model.metadata), model]));
  for (const device of fleet.devices()) {
    const { namespace = 'default' } = device.metadata;
    const model = models.get(`${namespace}/${device.spec.model}`);
    yield { device, node: nodes.get(device.spec.node), model };
  }
}

/** `namespace/name` */
export function idIn({
  namespace = 'default',
  name,
}: {
  readonly namespace?: string;
  readonly name: string;
}): string {
  return `${namespace}/${name}`;
}

/** A property's twin in a row. */
export function twinIn({ device }: FleetRow, property: string): PropertyTwin {
  const twin = device?.status?.twin ?? {};
  return (Object.hasOwn(twin, property) ? twin[property] : undefined) ?? {};
}

/** ms since 1970. */
export function msOf(time: string | undefined): number | null {
  return time === undefined ? null : Date.parse(time);
}

/** What all properties of a device hold. */
export function propertiesOf({ status }: Device): Json {
  const reported = Object.entries(status?.twin ?? {}).flatMap(([name, twin]) =>
    twin.reported === undefined ? [] : [[name, twin.reported.value] as const],
  );
  return Object.fromEntries(reported);
}
