/** What a StatusCode means here: which reaction, which code, which words (pure). */
import { type DmiError, Misconfigured, Refused, Unreachable } from '@limpet/dmi';

/** As far as this mapper reads one. */
export interface Status {
  readonly value: number;
  readonly name: string;
  readonly description?: string;
}

/** Of a service: the session, or the server, is of no more use (OPC UA Part 4, table 177). */
const GONE = new Set([
  'BadSessionIdInvalid',
  'BadSessionClosed',
  'BadSessionNotActivated',
  'BadSecureChannelIdInvalid',
  'BadSecureChannelClosed',
  'BadSecureChannelTokenUnknown',
  'BadConnectionClosed',
  'BadConnectionRejected',
  'BadNotConnected',
  'BadCommunicationError',
  'BadServerNotConnected',
  'BadServerHalted',
  'BadShutdown',
  'BadServerTooBusy',
  'BadTcpServerTooBusy',
  'BadTooManySessions',
  'BadMaxConnectionsReached',
  'BadTimeout',
  'BadRequestTimeout',
  'BadSubscriptionIdInvalid',
  'BadNoSubscription',
  'BadTooManyPublishRequests',
  'BadOutOfMemory',
  'BadResourceUnavailable',
  'BadTcpNotEnoughResources',
  'BadTcpSecureChannelUnknown',
]);

/** One value is more than a message may hold. */
const TOO_LARGE = new Set([
  'BadResponseTooLarge',
  'BadTcpMessageTooLarge',
  'BadEncodingLimitsExceeded',
]);

/** Of opening a session: somebody has to change a manifest or a password first. */
const NEVER = new Set([
  'BadIdentityTokenInvalid',
  'BadIdentityTokenRejected',
  'BadUserAccessDenied',
  'BadUserSignatureInvalid',
  'BadIdentityChangeNotSupported',
  'BadTcpEndpointUrlInvalid',
]);

/** The server has looked at our certificate and does not take it; its operator can change that. */
const UNKNOWN_TO_SERVER = new Set([
  'BadSecurityChecksFailed',
  'BadCertificateUntrusted',
  'BadCertificateInvalid',
  'BadCertificateUseNotAllowed',
  'BadCertificateChainIncomplete',
  'BadCertificateUriInvalid',
  'BadCertificateTimeInvalid',
  'BadApplicationSignatureInvalid',
  'BadSecurityPolicyRejected',
  'BadSecurityModeRejected',
]);

/** `BadNodeIdUnknown` is `OPCUA_BAD_NODE_ID_UNKNOWN`. */
function codeOf({ name }: Status): string {
  const words = name.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').replaceAll(/[^A-Za-z0-9]+/g, '_');
  return `OPCUA_${words.toUpperCase()}`.slice(0, 64);
}

export const isGood = ({ value }: Status): boolean => value >>> 30 === 0;
export const isUncertain = ({ value }: Status): boolean => value >>> 30 === 1;
/** Part 4, 7.39: values were lost because the queue of the monitored item was full. */
export const hasOverflow = ({ value }: Status): boolean => (value & 0x0480) === 0x0480;

/** One item was refused, or is doubted. `what`: `ns=2;s=Temp`. */
export function itemError(status: Status, what: string): Refused {
  const advice = TOO_LARGE.has(status.name) ? '; take a part of it with range, such as 0:99' : '';
  return new Refused(codeOf(status), `${what}: ${wordsOf(status)}${advice}`);
}

/** A service was refused as a whole; the status is kept for who knows more about what it means there. */
export function serviceError(status: Status, what: string): DmiError & { readonly status: Status } {
  const message = `${what}: ${wordsOf(status)}`;
  const error = GONE.has(status.name)
    ? new Unreachable(codeOf(status), message)
    : new Refused(codeOf(status), message);
  return Object.assign(error, { status });
}

/** No channel or session: what to do about it. `ours`: thumbprint of our own certificate. */
export function openError(status: Status, what: string, ours?: string): DmiError {
  const message = `${what}: ${wordsOf(status)}`;
  if (NEVER.has(status.name)) {
    return new Misconfigured(codeOf(status), `${message}; check user, password or certificate`);
  }
  if (UNKNOWN_TO_SERVER.has(status.name) && ours !== undefined) {
    return new Unreachable(
      codeOf(status),
      `${message}; let the server trust this node's certificate (thumbprint ${ours}), then it connects by itself`,
    );
  }
  return new Unreachable(codeOf(status), message);
}

function wordsOf({ name, description = '' }: Status): string {
  return description === '' ? name : `${name} (${description.replace(/\.$/, '')})`;
}
