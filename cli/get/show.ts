/** How `get` prints what it got, once or again and again. */
import type { DeviceModel, Kind, Resource } from '@limpet/dmi/manifest';
import type { Output } from '../output.ts';
import { resourceTable } from '../render/resources.ts';
import { layOut, type Table } from '../render/table.ts';
import { twinTable } from '../render/twin.ts';

/** What to make of resources. `model` goes with a single device whose twin is wanted. */
export interface Form {
  readonly kind: Kind;
  readonly twin: boolean;
  readonly wide: boolean;
  readonly namespaces: boolean;
  readonly model: DeviceModel | undefined;
}

/** The table of these resources: a twin for the one device asked for by name, else a line each. */
export function tableOf(resources: readonly Resource[], form: Form, now: number): Table {
  const [first] = resources;
  if (form.twin && first?.kind === 'Device') return twinTable(first, form.model, now);
  return resourceTable(form.kind, resources, { ...form, now });
}

/** A line above a twin that says how its device is; none for other tables. */
export function caption(resources: readonly Resource[], form: Form): string[] {
  const [first] = resources;
  if (!form.twin || first?.kind !== 'Device') return [];
  const { metadata, spec, status } = first;
  const reason =
    status?.reason === undefined ? '' : ` (${status.reason.code}: ${status.reason.message})`;
  const state = status?.state ?? 'not seen by its node yet';
  return [
    `${metadata.namespace ?? 'default'}/${metadata.name}: ${state}${reason}, model ${spec.model}, node ${spec.node}`,
  ];
}

export function printTable(output: Output, table: Table): void {
  for (const line of layOut(table, { colour: output.colour })) output.print(line);
}

/** Resources as one document: the single one, or a list as Kubernetes shapes it. */
export function documentOf(resources: readonly Resource[], single: boolean): unknown {
  if (single) return resources[0];
  return { apiVersion: 'v1', kind: 'List', metadata: {}, items: resources };
}
