/** What a mapper's process was refused, counted: a mapper that swallows the error is named all the same. */
import { channel, subscribe } from 'node:diagnostics_channel';

export interface Refusals {
  readonly count: number;
  /** The latest. */
  readonly last: string;
}

const OURS = 'limpet:refused';
/** Of Node's permission model; it tells refusals only, since Node 24. */
const NODES = ['fs', 'child', 'worker', 'inspector', 'addon', 'wasi'];

/** Something was refused by us. */
export function noteRefusal(what: string): void {
  channel(OURS).publish(what);
}

/** From now on. */
export function countRefusals(): () => Refusals {
  let refusals: Refusals = { count: 0, last: '' };
  const note = (last: string): void => {
    refusals = { count: refusals.count + 1, last };
  };
  subscribe(OURS, (what) => note(String(what)));
  for (const name of NODES) {
    subscribe(`node:permission-model:${name}`, (what) => {
      const { permission, resource } = what as { permission?: string; resource?: string };
      // Node itself looks for them above a module, and first whether it may look into the folder.
      if (resource?.endsWith('/package.json') || resource === import.meta.dirname) return;
      note([permission, resource].filter(Boolean).join(' '));
    });
  }
  return () => refusals;
}
