/** A mapper that stays the same object while what it delegates to comes and goes. */
import { type Mapper } from '@limpet/dmi';

/** `live` gives the mapper of this moment, or throws what callers shall see. */
export function mapperOf(
  protocol: string,
  live: () => Mapper<unknown, unknown>,
): Mapper<unknown, unknown> {
  return {
    protocol,
    get settings() {
      return live().settings;
    },
    get visitor() {
      return live().visitor;
    },
    fits: (visitor, property) => live().fits?.(visitor, property),
    port: (settings) => live().port?.(settings),
    // A rejection, also when there is none at this moment.
    connect: async (settings, context, signal) => live().connect(settings, context, signal),
  };
}
