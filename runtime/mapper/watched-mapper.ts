/** A mapper in the core's own process, watched in whether it ends what it is told to give up. */
import { type Connection, type Mapper } from '@limpet/dmi';
import { checkConnection } from '../device/connection-shape.ts';
import { type Obedience } from './obedience.ts';

type AnyMapper = Mapper<unknown, unknown>;

export function watchedMapper(mapper: AnyMapper, obedience: Obedience): AnyMapper {
  const { protocol, settings, visitor } = mapper;
  return {
    protocol,
    settings,
    visitor,
    ...(mapper.fits && { fits: (value, shape) => mapper.fits?.(value, shape) }),
    ...(mapper.serves && { serves: (value, shape) => mapper.serves?.(value, shape) }),
    ...(mapper.port && { port: (value) => mapper.port?.(value) }),
    ...(mapper.back && {
      back: (away, context, signal) => {
        const waiting = (mapper as Returning).back(away, context, signal);
        obedience.watch(Promise.resolve(waiting), signal, () => `back of ${context.device}`);
        return waiting;
      },
    }),
    connect: async (value, context, signal) => {
      const { device } = context;
      const opening = mapper.connect(value, context, signal);
      obedience.watch(Promise.resolve(opening), signal, () => `connect of ${device}`);
      const connection = await opening;
      checkConnection(connection);
      return watchedConnection(connection, device, obedience);
    },
  };
}

/** All that a connection is asked, each with its signal last. */
const ASKED = {
  read: true,
  write: true,
  writeMany: true,
  subscribe: true,
  call: true,
} satisfies Record<Exclude<keyof Connection<unknown>, 'close'>, true>;

function watchedConnection(
  connection: Connection<unknown>,
  device: string,
  obedience: Obedience,
): Connection<unknown> {
  const watched: Record<string, unknown> = { close: () => connection.close() };
  for (const what of Object.keys(ASKED) as (keyof typeof ASKED)[]) {
    const ask = connection[what] as ((...asked: unknown[]) => Promise<unknown>) | undefined;
    if (ask === undefined) continue;
    watched[what] = (...asked: unknown[]) => {
      const answer = ask.apply(connection, asked);
      // What is no promise is the mapper's fault, and is told where its answer is looked at.
      obedience.watch(
        Promise.resolve(answer),
        asked.at(-1) as AbortSignal,
        () => `${what} of ${device}`,
      );
      return answer;
    };
  }
  return watched as unknown as Connection<unknown>;
}

type Returning = Required<Pick<AnyMapper, 'back'>>;
