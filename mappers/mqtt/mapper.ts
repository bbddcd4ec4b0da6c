/** `@limpet/mapper-mqtt`: devices that speak MQTT, plainly or as Sparkplug B, Zigbee2MQTT and Tasmota do. */
import { type Connection, defineMapper, type Mapper, type MapperContext } from '@limpet/dmi';
import { Availability } from './availability.ts';
import { join } from './broker.ts';
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
});
export default mapper;

async function connect(
  settings: Settings,
  context: MapperContext,
  signal: AbortSignal,
): Promise<Connection<Visitor>> {
  const fill = fillFor(settings, context.device);
  let connection: TopicConnection | undefined;
  const lost = (error: Error): void => connection?.lose(error as never);
  const share = await join(settings.link, { context, lost }, signal);
  try {
    connection = new TopicConnection({ share, settings, context, fill });
    const { availability } = settings;
    if (availability !== undefined) {
      const heard = new Availability({
        availability,
        share,
        context,
        fill,
        timeoutMs: settings.link.timeoutMs,
      });
      connection.online = await heard.wait(connection, signal);
    }
    return connection;
  } catch (error) {
    share.leave();
    throw error;
  }
}
