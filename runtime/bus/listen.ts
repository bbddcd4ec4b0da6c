/** Where the bus listens: this machine only. */
import { once } from 'node:events';
import type { Server } from 'node:net';
import { Misconfigured } from '@limpet/dmi';

export interface Address {
  readonly host: string;
  readonly port: number;
}

const LOOPBACK = /^(localhost|::1|127(\.\d{1,3}){3})$/;

/**
 * `HOST:PORT` of this machine.
 * @throws Misconfigured BUS_BAD_ADDRESS, BUS_NOT_LOOPBACK
 */
export function busAddress(listen: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(listen);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || host === '' || port > 65_535) {
    const message = `bus.listen: expected HOST:PORT such as 127.0.0.1:1883, got ${JSON.stringify(listen)}.`;
    throw new Misconfigured('BUS_BAD_ADDRESS', message);
  }
  if (!LOOPBACK.test(host)) {
    const message =
      `bus.listen: ${host} can be reached from the network, and the bus knows no passwords. ` +
      'Use 127.0.0.1; to reach it from elsewhere, bridge it with a broker that has TLS and users.';
    throw new Misconfigured('BUS_NOT_LOOPBACK', message);
  }
  return { host, port };
}

/**
 * Resolves once `server` listens, with the port it got.
 * @throws Misconfigured BUS_PORT_TAKEN, BUS_PORT_FORBIDDEN, BUS_BAD_ADDRESS
 */
export async function listenAt(server: Server, { host, port }: Address): Promise<Address> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw cannotListen({ host, port }, cause);
  }
  const bound = server.address();
  return { host, port: typeof bound === 'object' && bound !== null ? bound.port : port };
}

function cannotListen({ host, port }: Address, cause: unknown): Misconfigured {
  switch ((cause as NodeJS.ErrnoException).code ?? '') {
    case 'EADDRINUSE':
      return new Misconfigured(
        'BUS_PORT_TAKEN',
        `bus.listen: port ${port} of ${host} is taken, perhaps by another MQTT broker such as mosquitto. ` +
          'Stop that one, or set bus.listen to another port.',
        { cause },
      );
    case 'EACCES':
      return new Misconfigured(
        'BUS_PORT_FORBIDDEN',
        `bus.listen: this user may not listen on port ${port}. Use a port of 1024 or above.`,
        { cause },
      );
    default:
      return new Misconfigured(
        'BUS_BAD_ADDRESS',
        `bus.listen: ${host}:${port} cannot be listened on: ${(cause as Error).message}.`,
        { cause },
      );
  }
}
