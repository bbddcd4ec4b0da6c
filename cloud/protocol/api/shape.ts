/** How answers show resources: alone, in a list, in a watch. */
import type { Kind, Resource } from '@limpet/dmi/manifest';
import type { Form } from './accept.ts';
import { GROUP_VERSION, KINDS } from './kinds.ts';
import type { Bookmark } from './watch-events.ts';

/** How much of the object stands beside each row of a table. */
export type Include = 'None' | 'Metadata' | 'Object';

export interface Shape {
  /** A list up to its first item, as JSON. */
  opening(kind: Kind): string;
  item(resource: Resource): unknown;
  single(resource: Resource): unknown;
  /** What a watch shows; one for each watch, because it may say some things only once. */
  watched(kind: Kind): (object: Resource | Bookmark) => unknown;
}

/** As they are. */
const WHOLE: Shape = {
  opening: (kind) => {
    return `{"kind":"${KINDS[kind].kind}List","apiVersion":"${GROUP_VERSION}","items":[`;
  },
  item: (resource) => resource,
  single: (resource) => resource,
  watched: () => (object) => object,
};

/** Other forms are loaded when somebody asks for them: not every node ever does. */
export async function shapeOf(form: Form, include: Include, now: () => number): Promise<Shape> {
  switch (form) {
    case 'whole':
      return WHOLE;
    case 'table':
      return (await import('./kubernetes/table.ts')).tableShape(include, now);
    case 'metadata':
      return (await import('./kubernetes/metadata.ts')).METADATA;
  }
}
