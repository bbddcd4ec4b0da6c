/** Which of the endpoints that a server offers is taken, by the settings (pure). */
import { Misconfigured } from '@limpet/dmi';
import { DEPRECATED_POLICIES, POLICIES, type PolicyName, type Settings } from './settings.ts';

/** As far as the choice goes by it; an EndpointDescription of OPC UA Part 4, 7.14. */
export interface Offer {
  readonly endpointUrl: string | null;
  /** 1 none, 2 sign, 3 sign and encrypt. */
  readonly securityMode: number;
  readonly securityPolicyUri: string | null;
  readonly serverCertificate: Uint8Array | null;
  readonly transportProfileUri: string | null;
  readonly userIdentityTokens: readonly TokenOffer[] | null;
}

/** A UserTokenPolicy: 0 anonymous, 1 user and password, 2 certificate. */
export interface TokenOffer {
  readonly policyId: string | null;
  readonly tokenType: number;
  readonly securityPolicyUri: string | null;
}

const MODES = { none: 1, sign: 2, signAndEncrypt: 3 } as const;
const MODE_NAMES = ['Invalid', 'None', 'Sign', 'SignAndEncrypt'];
const TOKEN_TYPES = { anonymous: 0, password: 1, certificate: 2 } as const;
const URI = 'http://opcfoundation.org/UA/SecurityPolicy#';
const BINARY = 'http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary';

/** `None` for the policy none; undefined where the URI names none that is known. */
export function policyOf(uri: string | null): PolicyName | 'None' | undefined {
  const name = uri?.startsWith(URI) === true ? uri.slice(URI.length) : undefined;
  return [...POLICIES, ...DEPRECATED_POLICIES, 'None' as const].find((known) => known === name);
}

/** The endpoint to use. @throws Misconfigured OPCUA_SECURITY, OPCUA_INSECURE, OPCUA_USER_TOKEN with what is offered */
export function choose<T extends Offer>(offers: readonly T[], settings: Settings): T {
  const binary = offers.filter(
    ({ transportProfileUri: uri }) => uri === null || uri === '' || uri === BINARY,
  );
  const fit = binary.filter((offer) => suits(offer, settings));
  const [best] = fit.toSorted((a, b) => rank(b) - rank(a));
  if (best === undefined) throw noneSuits(binary, settings);
  // A server may take users on some of its endpoints only.
  const open = fit.filter((offer) => tokenFor(offer, settings) !== undefined);
  const [chosen] = open.toSorted((a, b) => rank(b) - rank(a));
  if (chosen !== undefined) return chosen;
  const kinds = [...new Set(fit.flatMap(tokensOf))].join(', ') || 'nobody';
  throw new Misconfigured(
    'OPCUA_USER_TOKEN',
    `${settings.endpoint} does not take ${WHO[settings.user.kind]} there; it takes ${kinds}: set user and passwordFile, or certificate and key, or neither`,
  );
}

/** How the user is told to the server; encrypted rather than not. */
export function tokenFor(offer: Offer, { user }: Settings): TokenOffer | undefined {
  const type = TOKEN_TYPES[user.kind];
  const tokens = (offer.userIdentityTokens ?? []).filter(({ tokenType }) => tokenType === type);
  const policy = ({ securityPolicyUri: own }: TokenOffer): number =>
    rankOf(policyOf(own === null || own === '' ? offer.securityPolicyUri : own));
  const usable = tokens.filter((token) => policy(token) >= 0);
  return usable.toSorted((a, b) => policy(b) - policy(a))[0];
}

/** The list in words, for people: `SignAndEncrypt Basic256Sha256, None`. */
function offered(offers: readonly Offer[]): string {
  const names = offers.map(({ securityMode, securityPolicyUri: uri }) => {
    const policy = policyOf(uri) ?? uri ?? 'an unknown policy';
    return securityMode === MODES.none ? 'None' : `${MODE_NAMES[securityMode] ?? '?'} ${policy}`;
  });
  return [...new Set(names)].join(', ') || 'nothing';
}

const WHO = {
  anonymous: 'anonymous users',
  password: 'users with a password',
  certificate: 'users with a certificate',
} as const;

function tokensOf({ userIdentityTokens }: Offer): string[] {
  return (userIdentityTokens ?? []).map(
    ({ tokenType }) => Object.values(WHO)[tokenType] ?? 'tokens that this mapper does not know',
  );
}

function suits(offer: Offer, { security, policy, deprecated }: Settings): boolean {
  const name = policyOf(offer.securityPolicyUri);
  if (name === undefined) return false;
  if (security === 'none') return offer.securityMode === MODES.none && name === 'None';
  if (security === 'best' ? offer.securityMode < 2 : offer.securityMode !== MODES[security])
    return false;
  if (name === 'None') return false;
  if (policy !== undefined) return name === policy;
  return deprecated || (POLICIES as readonly string[]).includes(name);
}

function noneSuits(offers: readonly Offer[], settings: Settings): Misconfigured {
  const { endpoint, security, policy, deprecated } = settings;
  const list = offered(offers);
  if (security === 'best' && policy === undefined && offers.every(isOpen)) {
    return new Misconfigured(
      'OPCUA_INSECURE',
      `${endpoint} offers no security (${list}); switch it on at the server, or set security: none to go without`,
    );
  }
  const old = offers.some(({ securityPolicyUri: uri }) =>
    (DEPRECATED_POLICIES as readonly (string | undefined)[]).includes(policyOf(uri)),
  );
  const wanted = [security === 'best' ? 'a secured endpoint' : security, policy ?? '']
    .join(' ')
    .trim();
  const hint = old && !deprecated ? '; its old policies need policy and deprecated: true' : '';
  return new Misconfigured(
    'OPCUA_SECURITY',
    `${endpoint} does not offer ${wanted}; it offers ${list}: change security or policy${hint}`,
  );
}

const isOpen = ({ securityMode }: Offer): boolean => securityMode === MODES.none;

function rank({ securityMode, securityPolicyUri }: Offer): number {
  return securityMode * 10 + rankOf(policyOf(securityPolicyUri));
}

/** -1: not known. */
function rankOf(policy: PolicyName | 'None' | undefined): number {
  if (policy === undefined) return -1;
  if (policy === 'None') return 0;
  const order: readonly PolicyName[] = [...POLICIES, ...DEPRECATED_POLICIES];
  return order.length - order.indexOf(policy);
}
