/** TLS on a dialled stream. There is no way to leave the broker's certificate unchecked. */
import type { Duplex } from 'node:stream';
import { Misconfigured, Unreachable } from '@limpet/dmi';
import { pemOf } from './secrets.ts';
import type { Link, Tls } from './settings.ts';

const ADVICE: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is signed by itself: put it into tls.ca',
  SELF_SIGNED_CERT_IN_CHAIN:
    "its authority is not known: put the authority's certificate into tls.ca",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "its authority is not known: put the authority's certificate into tls.ca",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "its authority is not known: put the authority's certificate into tls.ca",
  UNABLE_TO_GET_ISSUER_CERT:
    "its authority is not known: put the authority's certificate into tls.ca",
  CERT_HAS_EXPIRED: 'it has expired: renew it at the broker, or set the clock of this node',
  CERT_NOT_YET_VALID: 'it is not valid yet: set the clock of this node',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'it is for another host: name the broker as the certificate does, or set tls.servername',
};

/** @throws Unreachable MQTT_TLS, MQTT_FILE; Misconfigured MQTT_TLS_KEY; the signal's reason */
export async function secure(
  stream: Duplex,
  { host, port, tls = {} }: Pick<Link, 'host' | 'port' | 'tls'>,
  folder: string | undefined,
  signal: AbortSignal,
): Promise<Duplex> {
  const keys = await keysOf(tls, folder);
  // TLS on the stream that `context.dial` gave: it opens no socket. Loaded where it is needed: 1 MiB.
  // oxlint-disable-next-line no-restricted-imports
  const { connect } = await import('node:tls');
  const name = tls.servername ?? host.replace(/^\[|\]$/g, '');
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  let secured: Duplex | undefined;
  try {
    // RFC 6066, 3: no server name for an address.
    const isAddress = /^[\d.]+$|:/.test(name);
    const names = { host: name, ...(!isAddress && { servername: name }) };
    const opened = connect({ socket: stream, ...names, ...keys, minVersion: 'TLSv1.2' });
    secured = opened;
    opened.once('secureConnect', () => resolve());
    opened.on('error', reject);
    stream.once('close', () => reject(new Error('the broker closed the connection')));
    await promise;
    // Its errors are the conversation's from now on.
    opened.off('error', reject).on('error', () => undefined);
    return opened;
  } catch (error) {
    secured?.destroy();
    stream.destroy();
    if (signal.aborted) throw signal.reason;
    throw tlsFault(error, `${host}:${port}`);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function keysOf(
  tls: Tls,
  folder: string | undefined,
): Promise<Pick<Tls, 'ca' | 'cert' | 'key'>> {
  const keys: { ca?: string; cert?: string; key?: string } = {};
  for (const name of ['ca', 'cert', 'key'] as const) {
    const text = tls[name];
    if (text !== undefined) keys[name] = await pemOf(text, folder);
  }
  return keys;
}

function tlsFault(error: unknown, address: string): Unreachable | Misconfigured {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const advice = ADVICE[code];
  if (advice !== undefined) {
    return new Unreachable('MQTT_TLS', `the certificate of the broker ${address}: ${advice}`, {
      cause: error,
    });
  }
  if (/^ERR_OSSL_(PEM|X509|RSA|EVP|UNSUPPORTED)|^ERR_OSSL.*KEY/.test(code)) {
    const what = `tls.ca, tls.cert or tls.key is no PEM, or key and cert do not belong together (${code})`;
    return new Misconfigured('MQTT_TLS_KEY', what, { cause: error });
  }
  const what = `no TLS with the broker ${address}: ${message}; check the port, and whether it wants a certificate of ours`;
  return new Unreachable('MQTT_TLS', what, { cause: error });
}
