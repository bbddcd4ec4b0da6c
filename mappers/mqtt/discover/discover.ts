/** What there is on a broker: listens for a while, asks those that can be asked, and makes devices of what it heard. */
import { type Found, type MapperContext, Misconfigured, type Search } from '@limpet/dmi';
import { duration } from '@limpet/dmi/schema';
import { safeParse } from 'valibot';
import { join, type Share } from '../broker.ts';
import { settings as schema } from '../settings.ts';
import { rebirth } from '../sparkplug/rebirth.ts';
import type { Heard } from '../topics.ts';
import { HeardTopics } from './heard.ts';
import { announcedDevices, announcedTopics } from './home-assistant.ts';
import { plainDevices } from './plain.ts';
import { sparkplugDevices } from './sparkplug.ts';
import { tasmotaDevices, tasmotaTopics } from './tasmota.ts';
import { basesOf, zigbeeDevices } from './zigbee2mqtt.ts';

const LISTEN_MS = 5_000;
/** Lists of devices are large. */
const MAX_PAYLOAD = 16_777_216;
/** A node that was asked for its births is not asked again while this looks. */
const ONCE_MS = 3_600_000;

/** Listens for `listen` (5s) of the settings. @throws Misconfigured MQTT_WHERE, Unreachable */
export async function* discover(
  { where, settings: { listen, ...given } }: Search,
  context: MapperContext,
  signal: AbortSignal,
): AsyncGenerator<Found> {
  const broker = where ?? given['broker'];
  const parsed = safeParse(schema, { ...given, broker });
  if (!parsed.success) {
    const why = parsed.issues.map(({ message }) => message).join('; ');
    throw new Misconfigured('MQTT_WHERE', `say where to look and how, such as mqtt://HOST: ${why}`);
  }
  const listenMs = listen === undefined ? LISTEN_MS : millisecondsOf(listen);
  const link = { ...parsed.output.link, maxPayload: MAX_PAYLOAD };
  const life = new AbortController();
  const share = await join(link, { context, lost: (error) => life.abort(error) }, signal);
  const heard = new HeardTopics();
  try {
    await listenTo(share, heard, { context, listenMs }, AbortSignal.any([signal, life.signal]));
  } catch (error) {
    // Somebody has seen enough, or the time is up: what was heard until then counts. A lost broker is another thing.
    if (!signal.aborted || life.signal.aborted) throw error;
  } finally {
    share.leave();
  }
  if (heard.leftOut > 0) {
    context.log.warn('there is more than was kept', { messagesLeftOut: heard.leftOut });
  }
  for (const found of devices(heard, context)) {
    yield { ...found, settings: { ...given, broker: broker as string, ...found.settings } };
  }
}

async function listenTo(
  share: Share,
  heard: HeardTopics,
  { context, listenMs }: { readonly context: MapperContext; readonly listenMs: number },
  signal: AbortSignal,
): Promise<void> {
  const hear = (message: Heard): void => {
    heard.hear(message);
    const [space, group, kind, node] = message.topic.split('/');
    if (space !== 'spBv1.0' || !group || !node || !/^[ND](BIRTH|DATA|DEATH)$/.test(kind ?? ''))
      return;
    if (!share.mayAsk(`births ${group}/${node}`, ONCE_MS)) return;
    // A broker that does not take it is lost, and that is told.
    share.publish(rebirth({ group, node }, context.clock), signal).catch(() => undefined);
  };
  const refused = await share.listen(['#'], hear, signal);
  const error = refused.get('#');
  if (error !== undefined) throw error;
  await context.clock.sleep(listenMs, signal);
}

function* devices(heard: HeardTopics, { log }: MapperContext): Generator<Found> {
  yield* zigbeeDevices(heard);
  yield* tasmotaDevices(heard, (name) =>
    log.warn('its topics are laid out in a way of its own', { name }),
  );
  yield* sparkplugDevices(heard);
  yield* announcedDevices(heard, (name) =>
    log.warn('where its value lies is not said plainly', { name }),
  );
  const bases = basesOf(heard);
  const plugs = new Set(tasmotaTopics(heard));
  const announced = announcedTopics(heard);
  yield* plainDevices(heard, (topic) => {
    const [first = '', second = ''] = topic.split('/');
    if (/^(spBv1\.0|homeassistant|limpet|tasmota)$/.test(first) || announced.has(topic))
      return true;
    if (/^(tele|stat|cmnd)$/.test(first) && plugs.has(second)) return true;
    return bases.some((base) => topic.startsWith(`${base}/`));
  });
}

function millisecondsOf(listen: unknown): number {
  const parsed = safeParse(duration('100ms', '10m'), listen);
  if (parsed.success) return parsed.output;
  throw new Misconfigured('MQTT_WHERE', `listen: ${parsed.issues[0].message}`);
}
