/** Hears that somebody has trusted a certificate: a server that nobody trusted is worth a try then. */
import { type Away, type MapperContext, Unreachable } from '@limpet/dmi';
import type { Settings } from './settings.ts';
import { TrustStore } from './trust.ts';

const LOOK_MS = 2_000;
const BY_TRUST = ['OPCUA_UNTRUSTED', 'OPCUA_CERTIFICATE'];

/** @throws Unreachable OPCUA_UNHEARD when it is away for another reason; the signal's reason */
export async function back(
  { code }: Away<Settings>,
  { folder, clock }: Pick<MapperContext, 'folder' | 'clock'>,
  signal: AbortSignal,
): Promise<void> {
  if (folder === undefined || !BY_TRUST.includes(code))
    throw new Unreachable('OPCUA_UNHEARD', 'nothing here says when the server is back');
  const trust = new TrustStore(folder);
  const before = await trust.changedMs();
  // It may have been changed since the server was judged, a moment ago.
  if (clock.now() - before < LOOK_MS && before <= clock.now()) return;
  while ((await trust.changedMs()) === before) await clock.sleep(LOOK_MS, signal);
}
