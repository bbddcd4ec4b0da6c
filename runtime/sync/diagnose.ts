/** What went wrong with the link, in words that say what to do. */

export interface Fault {
  readonly code: string;
  readonly message: string;
}

const FIXES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens there. Is the cloud service running, and is the port right?',
  ENOTFOUND: 'The host name is unknown. Check `cloud:` and the DNS of this machine.',
  EAI_AGAIN: 'The name server does not answer. Check the network of this machine.',
  EHOSTUNREACH: 'There is no route to the host. Check the network of this machine.',
  ENETUNREACH: 'There is no route to the host. Check the network of this machine.',
  ETIMEDOUT: 'The host does not answer. A firewall may drop the connection.',
  ECONNRESET: 'The other side cut the connection.',
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'The certificate is signed by itself. Name it, or the authority that signed it, in `ca`.',
  SELF_SIGNED_CERT_IN_CHAIN: 'The authority is not known here. Name its certificate in `ca`.',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'The authority is not known here. Name its certificate in `ca`.',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'The authority is not known here. Name its certificate in `ca`.',
  CERT_HAS_EXPIRED: 'Renew the certificate of the cloud, or set the clock of this machine.',
  CERT_NOT_YET_VALID: 'Set the clock of this machine.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'The certificate is for another host name than `cloud:` says.',
  ENOENT: 'The file named in `ca` or `tokenFile` does not exist.',
  EACCES: 'The file named in `ca` or `tokenFile` may not be read by this user.',
};

const NO_TLS =
  'What answers there speaks no TLS. Is the port right? A cloud without TLS is ws://, on this machine only.';

const STATUS_FIXES: Readonly<Record<number, string>> = {
  401: 'The cloud wants a token that it knows: put one into the file named in `tokenFile`.',
  403: 'The cloud does not accept the token in `tokenFile`.',
  404: 'There is no hub at this path. The address usually ends in /hub.',
};

/** A socket's or file's error as a code and a sentence with the fix, where one is known. */
export function diagnose(error: unknown): Fault {
  const cause = innermost(error);
  const code = codeOf(cause) ?? 'SYNC_SOCKET';
  const text = cause instanceof Error ? cause.message : String(cause);
  // OpenSSL fills a line with less.
  if (code === 'EPROTO') return { code, message: NO_TLS };
  const fix = FIXES[code];
  return { code, message: fix === undefined ? text : `${text}. ${fix}` };
}

/** An HTTP answer where a WebSocket was asked for. */
export function diagnoseStatus(status: number): Fault {
  const fix = STATUS_FIXES[status] ?? 'Is `cloud:` the address of a Limpet hub?';
  return { code: `SYNC_HTTP_${status}`, message: `The cloud answered HTTP ${status}. ${fix}` };
}

/** A name with several addresses fails with one error per address: the last tells as much as any. */
function innermost(error: unknown): unknown {
  return error instanceof AggregateError ? (error.errors.at(-1) ?? error) : error;
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : undefined;
}
