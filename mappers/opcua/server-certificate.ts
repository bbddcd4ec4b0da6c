/** Whether a server is whom its certificate says it is, and whether somebody here trusts that. */
import { X509Certificate } from 'node:crypto';
import { type MapperContext, Misconfigured, Unreachable } from '@limpet/dmi';
import type { EndpointDescription } from 'node-opcua-types';
import { noFolder } from './secrets.ts';
import type { Settings } from './settings.ts';
import { subjectOf, thumbprintOf, TrustStore, uriOf } from './trust.ts';

/** @throws Unreachable OPCUA_UNTRUSTED, OPCUA_CERTIFICATE: tried again, so that trusting takes effect by itself */
export async function checkServer(
  { endpoint }: Settings,
  { folder, clock, log }: MapperContext,
  { serverCertificate, server }: EndpointDescription,
): Promise<void> {
  if (folder === undefined) throw noFolder();
  const x509 = parse(serverCertificate, endpoint);
  const { trusted, by } = await new TrustStore(folder).judge(x509.raw);
  const thumbprint = thumbprintOf(x509);
  if (!trusted) {
    throw new Unreachable(
      'OPCUA_UNTRUSTED',
      `${endpoint} shows a certificate that is not trusted: ${subjectOf(x509)}, thumbprint ${thumbprint}; if the server's own display shows the same, run: limpet opcua trust ${thumbprint}`,
    );
  }
  const doubts = doubtsOf(x509, endpoint, server?.applicationUri ?? '', clock.now());
  if (doubts.length === 0) return;
  const said = doubts.join('; ');
  // Trusted by itself it is this very server, whatever its certificate says; an authority vouches for what it says only.
  if (by === 'issuer') {
    throw new Unreachable(
      'OPCUA_CERTIFICATE',
      `the certificate of ${endpoint} is not good: ${said}; renew it, or trust it by itself: limpet opcua trust ${thumbprint}`,
    );
  }
  log.debug('certificate of the server is odd, and trusted by itself', { doubts: said });
}

function doubtsOf(x509: X509Certificate, endpoint: string, uri: string, now: number): string[] {
  const { hostname } = new URL(endpoint.replace(/^opc\.tcp:/, 'http:'));
  const host = hostname.replaceAll(/[[\]]/g, '');
  const names = x509.checkHost(host) ?? x509.checkIP(host);
  const checks = [
    [now > Date.parse(x509.validTo), `it expired on ${x509.validTo}`],
    [now < Date.parse(x509.validFrom), `it begins on ${x509.validFrom}; check the clocks`],
    [names === undefined, `it does not name the host ${host}`],
    [uri !== '' && uriOf(x509) !== uri, `it names ${uriOf(x509)}, and the server says ${uri}`],
  ] as const;
  return checks.flatMap(([wrong, message]) => (wrong ? [message] : []));
}

/** Of a chain the first is the server's. */
function parse(der: Buffer | null, endpoint: string): X509Certificate {
  try {
    return new X509Certificate(der ?? Buffer.alloc(0));
  } catch (cause) {
    const message = `${endpoint} shows no certificate that can be read; give the server one`;
    throw new Misconfigured('OPCUA_CERTIFICATE', message, { cause });
  }
}
