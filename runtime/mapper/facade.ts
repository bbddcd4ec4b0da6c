/** A mapper that stays the same object while what it delegates to comes and goes. */
import { type Mapper, Refused } from '@limpet/dmi';
import { type TappedMapper } from '../device/taps.ts';

/** `live` gives the mapper of this moment, or throws what callers shall see. */
export function mapperOf(
  protocol: string,
  live: () => Mapper<unknown, unknown>,
): Mapper<unknown, unknown> {
  const facade: TappedMapper = {
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
    async tap(device, capture, signal) {
      const page = (live() as TappedMapper).tap?.(device, capture, signal);
      if (page !== undefined) return page;
      throw new Refused(
        'CAPTURE_UNSUPPORTED',
        `the wires of the mapper "${protocol}" are not seen`,
      );
    },
  };
  const serves: Mapper<unknown, unknown>['serves'] = (visitor, method) =>
    live().serves?.(visitor, method);
  const back: Mapper<unknown, unknown>['back'] = async (away, context, signal) =>
    live().back?.(away, context, signal);
  // Whether it has methods at all, or hears of devices that are away, is what having these says.
  const where = (name: 'serves' | 'back', present: unknown): PropertyDescriptor => ({
    enumerable: true,
    get: () => (name in live() ? present : undefined),
  });
  return Object.defineProperties(facade, {
    serves: where('serves', serves),
    back: where('back', back),
  });
}
