/** Label and field selectors, in Kubernetes' syntax. */
import type { Resource } from '@limpet/dmi/manifest';
import type { Query, Reach } from './backend.ts';

/** One condition on a label. `values` is empty for `exists` and `absent`; `a=b` is `a in (b)`. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: 'in' | 'notin' | 'exists' | 'absent';
  readonly values: readonly string[];
}

export type SelectableField = 'metadata.name' | 'metadata.namespace' | 'spec.node' | 'spec.model';

/** One condition on a field. */
export interface FieldRequirement {
  readonly field: SelectableField;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/** All conditions must hold; none at all selects everything. */
export interface Selection {
  readonly labels: readonly LabelRequirement[];
  readonly fields: readonly FieldRequirement[];
}

/** Whether the selection keeps this resource. */
export function selects(selection: Selection, resource: Resource): boolean {
  return (
    selection.labels.every((requirement) => holds(requirement, resource)) &&
    selection.fields.every(({ field, operator, value }) => {
      return (fieldOf(resource, field) === value) === (operator === '=');
    })
  );
}

/** Where all that a query selects, has selected or will select must be: a name and a namespace never change. */
export function reachOf({ kind, namespace, selection: { fields } }: Query): Reach {
  const equal = (field: SelectableField) =>
    fields.find((each) => each.field === field && each.operator === '=')?.value;
  const name = equal('metadata.name');
  const within = namespace ?? equal('metadata.namespace');
  return {
    kind,
    ...(within !== undefined && { namespace: within }),
    ...(name !== undefined && { name }),
  };
}

function holds({ key, operator, values }: LabelRequirement, resource: Resource): boolean {
  const labels = resource.metadata.labels ?? {};
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'in':
      return value !== undefined && values.includes(value);
    // As in Kubernetes, an absent label is also not in the set.
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case 'absent':
      return value === undefined;
  }
}

function fieldOf(resource: Resource, field: SelectableField): string {
  switch (field) {
    case 'metadata.name':
      return resource.metadata.name;
    case 'metadata.namespace':
      return resource.metadata.namespace ?? '';
    case 'spec.node':
      return resource.kind === 'Device' ? resource.spec.node : '';
    case 'spec.model':
      return resource.kind === 'Device' ? resource.spec.model : '';
  }
}
