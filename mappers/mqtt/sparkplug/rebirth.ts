/** The command with which an edge node is asked for its births. */
import type { Clock } from '@limpet/dmi';
import type { Sparkplug } from '../settings.ts';
import { encodePayload, TYPE } from './payload.ts';

/** 6.4.23: makes an edge node send its birth and those of its devices. */
export function rebirth(
  { group, node }: Pick<Sparkplug, 'group' | 'node'>,
  clock: Pick<Clock, 'now'>,
): { readonly topic: string; readonly payload: Buffer; readonly qos: 0; readonly retain: false } {
  const timestamp = clock.now();
  const metric = {
    name: 'Node Control/Rebirth',
    timestamp,
    datatype: TYPE.Boolean,
    boolean: true,
  };
  const payload = encodePayload({ timestamp, metrics: [metric] });
  return { topic: `spBv1.0/${group}/NCMD/${node}`, payload, qos: 0, retain: false };
}
