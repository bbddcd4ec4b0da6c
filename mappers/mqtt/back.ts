/** Hears from the broker that a device which was away is back: its last will says so, or it tells its birth. */
import { type Away, type MapperContext, Unreachable, unlessAborted } from '@limpet/dmi';
import { saysOnline } from './availability.ts';
import { join } from './broker.ts';
import type { Settings } from './settings.ts';
import { fillFor } from './template.ts';
import type { Heard } from './topics.ts';

interface Sign {
  readonly topic: string;
  readonly says: (heard: Heard) => boolean;
}

/** @throws Unreachable MQTT_UNHEARD when it would not be heard; the broker's loss; the signal's reason */
export async function back(
  { settings, code }: Away<Settings>,
  context: MapperContext,
  signal: AbortSignal,
): Promise<void> {
  const sign = signOf(settings, context.device, code);
  if (sign === undefined)
    throw new Unreachable('MQTT_UNHEARD', 'the broker would not say when the device is back');
  const life = new AbortController();
  const both = AbortSignal.any([signal, life.signal]);
  const share = await join(settings.link, { context, lost: (error) => life.abort(error) }, both);
  try {
    const { promise, resolve } = Promise.withResolvers<void>();
    const hear = (heard: Heard): void => (sign.says(heard) ? resolve() : undefined);
    const [refused] = (await share.listen([sign.topic], hear, both)).values();
    if (refused !== undefined) throw refused;
    await unlessAborted(promise, both);
  } finally {
    share.leave();
  }
}

function signOf(settings: Settings, device: string, code: string): Sign | undefined {
  const { sparkplug, availability } = settings;
  if (sparkplug !== undefined && (code === 'MQTT_NO_BIRTH' || code === 'MQTT_DEVICE_OFFLINE')) {
    const { group, node, device: behind } = sparkplug;
    const topic =
      behind === undefined
        ? `spBv1.0/${group}/NBIRTH/${node}`
        : `spBv1.0/${group}/DBIRTH/${node}/${behind}`;
    // A birth is never kept; what is kept is of a time that has passed.
    return { topic, says: ({ retained }) => !retained };
  }
  if (availability === undefined || code !== 'MQTT_DEVICE_OFFLINE') return undefined;
  const topic = fillFor(settings, device)(availability.topic);
  return { topic, says: (heard) => saysOnline(availability, heard) };
}
