/** From settings to an open device: which endpoint, whether its certificate counts, a channel, a session. */
import { X509Certificate } from 'node:crypto';
import { type Connection, type MapperContext, Unreachable } from '@limpet/dmi';
import type { SecurityPolicy } from 'node-opcua-secure-channel';
import {
  type EndpointDescription,
  GetEndpointsRequest,
  type GetEndpointsResponse,
  type MessageSecurityMode,
} from 'node-opcua-types';
import { Channel, type Protection } from './channel.ts';
import { OpcuaConnection } from './connection.ts';
import { choose, type Offer, policyOf, tokenFor } from './endpoint.ts';
import { Leftovers } from './leftovers.ts';
import { quiet } from './library.ts';
import { type OwnCertificate, ownCertificate } from './own-certificate.ts';
import { Meant } from './meant.ts';
import { noFolder, reveal } from './secrets.ts';
import { Session, type Identity } from './session.ts';
import type { Settings } from './settings.ts';
import { checkServer } from './server-certificate.ts';
import type { Visitor } from './visitor.ts';

/** Sessions whose connection was lost: the server still keeps them, and has room for few. */
const leftovers = new Leftovers();
const meant = new Meant();

/** @throws Unreachable, Misconfigured, Garbled */
export async function connect(
  settings: Settings,
  context: MapperContext,
  signal: AbortSignal,
): Promise<Connection<Visitor>> {
  const session = await openSession(settings, context, signal);
  const left = (): void => leftovers.keep(context.device, session);
  try {
    return await OpcuaConnection.open(
      {
        session,
        settings,
        clock: context.clock,
        log: context.log,
        left,
        meant: (now) => meant.by(`${context.device} ${settings.endpoint}`, now),
      },
      signal,
    );
  } catch (error) {
    if (!(await session.leave(signal))) left();
    await session.channel.close();
    throw error;
  }
}

/** @throws Unreachable, Misconfigured, Garbled */
export async function openSession(
  settings: Settings,
  context: MapperContext,
  signal: AbortSignal,
): Promise<Session> {
  quiet(context.log);
  const offers = await endpoints(settings, context, signal);
  const endpoint = choose(offers as unknown as (Offer & EndpointDescription)[], settings);
  const identity = await identify(settings, context, endpoint);
  const channel = await dial(settings, context, signal, protectionOf(endpoint, identity.own));
  try {
    await leftovers.end(context.device, channel, signal);
    return await Session.open(channel, endpoint, identity, signal);
  } catch (error) {
    await channel.close();
    throw error;
  }
}

/** What the server offers. Nobody vouches for it: the session checks it again. */
async function endpoints(
  settings: Settings,
  context: MapperContext,
  signal: AbortSignal,
): Promise<readonly EndpointDescription[]> {
  const channel = await dial(settings, context, signal);
  try {
    const request = new GetEndpointsRequest({ endpointUrl: settings.endpoint });
    const answer = await channel.ask<GetEndpointsResponse>(request, signal);
    return answer.endpoints ?? [];
  } finally {
    await channel.close();
  }
}

async function dial(
  settings: Settings,
  { dial: open, clock }: MapperContext,
  signal: AbortSignal,
  protection?: Protection,
): Promise<Channel> {
  const { endpoint, timeoutMs } = settings;
  const deadline = new AbortController();
  const late = new Unreachable(
    'OPCUA_TIMEOUT',
    `no connection to ${endpoint} within ${timeoutMs} ms`,
  );
  const cancel = clock.after(timeoutMs, () => deadline.abort(late));
  try {
    const stream = await open(settings.dial, AbortSignal.any([signal, deadline.signal]));
    const options = { endpoint, stream, timeoutMs, clock, ...(protection && { protection }) };
    return await Channel.open(options, signal);
  } finally {
    cancel();
  }
}

/** Everything that is needed to prove who we are, and that the server is whom it says it is. */
async function identify(
  settings: Settings,
  context: MapperContext,
  endpoint: EndpointDescription,
): Promise<Identity> {
  const { folder, device, clock, log } = context;
  const secured = policyOf(endpoint.securityPolicyUri) !== 'None';
  if (secured || hidesPassword(settings, endpoint)) await checkServer(settings, context, endpoint);
  const identity = {
    settings,
    clock,
    sessionName: `limpet ${device}`,
    ...(await secretsOf(settings, folder)),
  };
  if (!secured) return identity;
  if (folder === undefined) throw noFolder();
  return { ...identity, own: await ownCertificate(folder, { clock, log }) };
}

/** Without a secured channel the password is still encrypted, with the certificate that the server shows. */
function hidesPassword(settings: Settings, endpoint: EndpointDescription): boolean {
  const policy = tokenFor(endpoint as unknown as Offer, settings)?.securityPolicyUri ?? '';
  return settings.user.kind !== 'anonymous' && policy !== '' && policyOf(policy) !== 'None';
}

async function secretsOf(
  { user }: Settings,
  folder: string | undefined,
): Promise<Pick<Identity, 'password' | 'certificate' | 'key'>> {
  switch (user.kind) {
    case 'anonymous':
      return {};
    case 'password':
      return { password: await reveal(user.password, folder) };
    case 'certificate':
      return {
        certificate: await reveal(user.certificate, folder),
        key: await reveal(user.key, folder),
      };
  }
}

function protectionOf(
  endpoint: EndpointDescription,
  own: OwnCertificate | undefined,
): Protection | undefined {
  if (own === undefined) return undefined;
  return {
    mode: endpoint.securityMode as unknown as MessageSecurityMode,
    policy: endpoint.securityPolicyUri as SecurityPolicy,
    serverCertificate: new X509Certificate(endpoint.serverCertificate).raw,
    own,
  };
}
