/** `@limpet/mapper-mqtt`: devices that speak MQTT, plainly or as Sparkplug B, Zigbee2MQTT and Tasmota do. */
import {
  type Connection,
  defineMapper,
  type DmiError,
  type Mapper,
  type MapperContext,
} from '@limpet/dmi';
import { Availability } from './availability.ts';
import { back } from './back.ts';
import { join, type Share } from './broker.ts';
import { TopicConnection } from './connection.ts';
import { type Settings, settings } from './settings.ts';
import { fillFor } from './template.ts';
import { fits, type Visitor, visitor } from './visitor.ts';

const mapper: Mapper<Settings, Visitor> = defineMapper({
  protocol: 'mqtt',
  settings,
  visitor,
  fits,
  connect,
  back,
  async *discover(search, context, signal) {
    // Loaded for people at a command line, never on a board.
    const { discover } = await import('./discover/discover.ts');
    yield* discover(search, context, signal);
  },
});
export default mapper;

type Losable = Connection<Visitor> & { lose(error: DmiError): void };

async function connect(
  settings: Settings,
  context: MapperContext,
  signal: AbortSignal,
): Promise<Connection<Visitor>> {
  let connection: Losable | undefined;
  // Only while it is opened: a signal takes more than a property does.
  let life: AbortController | undefined = new AbortController();
  const lost = (error: DmiError): void => {
    life?.abort(error);
    connection?.lose(error);
  };
  const share = await join(settings.link, { context, lost }, signal);
  try {
    connection = await open(settings, { share, context }, AbortSignal.any([signal, life.signal]));
    return connection;
  } catch (error) {
    share.leave();
    throw error;
  } finally {
    life = undefined;
  }
}

async function open(
  settings: Settings,
  given: { readonly share: Share; readonly context: MapperContext },
  signal: AbortSignal,
): Promise<Losable> {
  const { sparkplug, availability, link } = settings;
  if (sparkplug !== undefined) {
    // Loaded where it is needed: other devices do without.
    const { SparkplugConnection } = await import('./sparkplug/connection.ts');
    return SparkplugConnection.open({ ...given, settings, place: sparkplug }, signal);
  }
  const fill = fillFor(settings, given.context.device);
  const connection = new TopicConnection({ ...given, settings, fill });
  if (availability === undefined) return connection;
  const heard = new Availability({ ...given, availability, fill, timeoutMs: link.timeoutMs });
  connection.online = await heard.wait(connection, signal);
  return connection;
}
