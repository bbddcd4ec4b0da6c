/** What the cloud asks of this node, answered from memory. */
import type { ExplainDoor, LoadDoor } from '@limpet/dmi/manifest';
import type { Asked, Told } from '#protocol';

export interface AskedDoors {
  readonly explain: ExplainDoor;
  readonly load: LoadDoor;
}

export function toldOf({ explain, load }: AskedDoors, about: Asked): Told {
  switch (about.kind) {
    case 'why':
      return { kind: 'why', explanation: explain(about.device, about.property) ?? null };
    case 'load':
      return { kind: 'load', load: load() };
  }
}
