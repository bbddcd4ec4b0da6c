/** Opens the stream beneath a device, with a limit of its own. */
import type { Duplex } from 'node:stream';
import { type MapperContext, Unreachable } from '@limpet/dmi';
import type { Settings } from './settings.ts';

/** The least that a connection may take: a TCP handshake that lost a packet needs more than a second. */
const DIAL_MS = 5000;

/** @throws what `context.dial` throws; Unreachable MODBUS_TIMEOUT */
export async function dial(
  { dial: address, timeoutMs }: Pick<Settings, 'dial' | 'timeoutMs'>,
  context: MapperContext,
  signal: AbortSignal,
): Promise<Duplex> {
  const deadline = new AbortController();
  const ms = Math.max(timeoutMs, DIAL_MS);
  const cancel = context.clock.after(ms, () =>
    deadline.abort(
      new Unreachable('MODBUS_TIMEOUT', `no connection to ${address} within ${ms} ms`),
    ),
  );
  try {
    return await context.dial(address, AbortSignal.any([signal, deadline.signal]));
  } finally {
    cancel();
  }
}
