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

function watchedConnection(
  connection: Connection<unknown>,
  device: string,
  obedience: Obedience,
): Connection<unknown> {
  const watch = <T>(what: string, signal: AbortSignal, call: Promise<T>): Promise<T> => {
    // What is no promise is the mapper's fault, and is told where its answer is looked at.
    obedience.watch(Promise.resolve(call), signal, () => `${what} of ${device}`);
    return call;
  };
  return {
    read: (visitors, signal) => watch('read', signal, connection.read(visitors, signal)),
    write: (visitor, value, signal) =>
      watch('write', signal, connection.write(visitor, value, signal)),
    ...(connection.subscribe && {
      subscribe: (wishes, sink, signal) =>
        watch('subscribe', signal, (connection as Subscribing).subscribe(wishes, sink, signal)),
    }),
    ...(connection.call && {
      call: (visitor, input, signal) =>
        watch('call', signal, (connection as Calling).call(visitor, input, signal)),
    }),
    close: () => connection.close(),
  };
}

type Subscribing = Required<Pick<Connection<unknown>, 'subscribe'>>;
type Calling = Required<Pick<Connection<unknown>, 'call'>>;
