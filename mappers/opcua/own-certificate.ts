/** This node's own application certificate: made at first use, kept in `pki/own`, renewed before it expires. */
import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { type Clock, type Log } from '@limpet/dmi';
import { selfSigned } from './self-signed.ts';

export interface OwnCertificate {
  readonly der: Buffer;
  /** PEM. */
  readonly key: string;
  readonly applicationUri: string;
  /** SHA-1 of the certificate, as OPC UA names certificates; upper-case hex. */
  readonly thumbprint: string;
}

const DAY_MS = 86_400_000;
const LIFE_MS = 3650 * DAY_MS;
const RENEW_MS = 60 * DAY_MS;
/** A board without a battery starts in 1970; what it signs then would long have expired when its clock is right. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);

/** `folder`: that of the mapper. @throws the system's error when it cannot be written */
export async function ownCertificate(
  folder: string,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<OwnCertificate> {
  const own = path.join(folder, 'pki', 'own');
  const now = Math.max(clock.now(), EARLIEST_MS);
  const found = await read(own);
  if (found !== undefined && Date.parse(found.x509.validTo) - now > RENEW_MS) return found.own;
  const host = hostname().replaceAll(/[^A-Za-z0-9.-]/g, '-') || 'limpet';
  const { key, der } = selfSigned({
    applicationUri: `urn:${host}:limpet`,
    commonName: `Limpet@${host}`.slice(0, 64),
    hosts: [host],
    fromMs: now - DAY_MS,
    toMs: now + LIFE_MS,
  });
  await mkdir(own, { recursive: true, mode: 0o700 });
  // The certificate last: without it the pair does not count, and a new one is made.
  await replace(path.join(own, 'key.pem'), key);
  await replace(path.join(own, 'certificate.der'), der);
  const made = described(der, key);
  log.info(found === undefined ? 'own certificate made' : 'own certificate renewed', {
    thumbprint: made.own.thumbprint,
    ...(found && { before: found.own.thumbprint }),
  });
  return made.own;
}

async function read(own: string): Promise<Described | undefined> {
  try {
    const [der, key] = await Promise.all([
      readFile(path.join(own, 'certificate.der')),
      readFile(path.join(own, 'key.pem'), 'utf8'),
    ]);
    return described(der, key);
  } catch (error) {
    const { code } = error as { code?: unknown };
    // What is there and cannot be read must not be replaced: servers trust it.
    if (code !== 'ENOENT') throw error;
    return undefined;
  }
}

interface Described {
  readonly own: OwnCertificate;
  readonly x509: X509Certificate;
}

function described(der: Buffer, key: string): Described {
  const x509 = new X509Certificate(der);
  const [, applicationUri = ''] = /URI:([^,\s]+)/.exec(x509.subjectAltName ?? '') ?? [];
  const thumbprint = x509.fingerprint.replaceAll(':', '');
  return { own: { der, key, applicationUri, thumbprint }, x509 };
}

async function replace(file: string, content: string | Buffer): Promise<void> {
  const aside = `${file}.new`;
  await writeFile(aside, content, { mode: 0o600, flush: true });
  await rename(aside, file);
}
