/** One session with a server over a secure channel (OPC UA Part 4, 5.6): created, activated, asked, closed. */
import { createPrivateKey, createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { type Clock, Misconfigured, Unreachable } from '@limpet/dmi';
import type { NodeId } from 'node-opcua-nodeid';
import {
  computeSignature,
  getCryptoFactory,
  type Request,
  type Response,
  type SecurityPolicy,
  verifySignature,
} from 'node-opcua-secure-channel';
import {
  ActivateSessionRequest,
  type ActivateSessionResponse,
  AnonymousIdentityToken,
  CloseSessionRequest,
  CreateSessionRequest,
  type CreateSessionResponse,
  type EndpointDescription,
  UserNameIdentityToken,
  X509IdentityToken,
} from 'node-opcua-types';
import type { Channel } from './channel.ts';
import { choose, type Offer, policyOf, tokenFor } from './endpoint.ts';
import type { OwnCertificate } from './own-certificate.ts';
import type { Settings } from './settings.ts';
import { openError, type Status } from './status.ts';

/** Who asks, all files read. */
export interface Identity {
  readonly settings: Settings;
  readonly own?: OwnCertificate;
  readonly password?: string;
  /** PEM. */
  readonly certificate?: string;
  readonly key?: string;
  readonly sessionName: string;
  readonly clock: Clock;
}

const NONCE_BYTES = 32;
/** How long a server may take to answer after an abort, which has to end within 100 ms. */
const GRACE_MS = 30;
const END_MS = 1_000;
/** The server may send what this process can hold, no more. */
const MAX_RESPONSE = 8 * 1024 * 1024;

export class Session {
  readonly #identity: Identity;
  readonly #endpoint: EndpointDescription;
  #channel: Channel;
  #token: NodeId | undefined;
  #serverNonce: Buffer | undefined;
  #timeoutMs: number;

  private constructor(channel: Channel, endpoint: EndpointDescription, identity: Identity) {
    this.#channel = channel;
    this.#endpoint = endpoint;
    this.#identity = identity;
    this.#timeoutMs = identity.settings.sessionMs;
  }

  /** @throws Unreachable, Misconfigured */
  static async open(
    channel: Channel,
    endpoint: EndpointDescription,
    identity: Identity,
    signal: AbortSignal,
  ): Promise<Session> {
    const session = new Session(channel, endpoint, identity);
    const { clock } = identity;
    const grace = new AbortController();
    let cancel = (): void => undefined;
    const abort = (): void => {
      cancel = clock.after(GRACE_MS, () => grace.abort(signal.reason));
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      // The session is the server's to keep from now on: only its name, which the answer brings, lets us end it.
      await session.#create(grace.signal);
      signal.throwIfAborted();
      await session.#activate(signal);
      return session;
    } catch (error) {
      if (session.#token !== undefined) await session.leave(signal);
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
      cancel();
    }
  }

  get channel(): Channel {
    return this.#channel;
  }

  /** The server forgets the session when it hears nothing for so long. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** @throws what {@link Channel.ask} throws */
  async ask<T extends Response>(
    request: Request,
    signal: AbortSignal,
    timeoutMs?: number,
  ): Promise<T> {
    if (this.#token !== undefined) request.requestHeader.authenticationToken = this.#token;
    return this.#channel.ask<T>(request, signal, timeoutMs);
  }

  /**
   * Ends the session, and its subscriptions, on a channel of its own or a newer one. False: the server did not say a
   * word about it, and may keep it. Must not throw.
   */
  async end(signal: AbortSignal, channel?: Channel): Promise<boolean> {
    try {
      if (channel !== undefined) {
        this.#channel = channel;
        await this.#activate(signal);
      }
      await this.ask(new CloseSessionRequest({ deleteSubscriptions: true }), signal);
      return true;
    } catch (error) {
      // A refusal: it is gone already.
      return (error as { status?: Status }).status !== undefined;
    }
  }

  /** Ends it after what was begun with it failed; briefly, when that was aborted. */
  async leave(signal: AbortSignal): Promise<boolean> {
    return this.end(AbortSignal.timeout(signal.aborted ? GRACE_MS : END_MS));
  }

  async #create(signal: AbortSignal): Promise<void> {
    const { settings, own, sessionName } = this.#identity;
    const clientNonce = randomBytes(NONCE_BYTES);
    const request = new CreateSessionRequest({
      clientDescription: {
        applicationUri: own?.applicationUri ?? 'urn:limpet',
        productUri: 'urn:limpet',
        applicationName: { text: 'Limpet' },
        // Client
        applicationType: 1,
      },
      endpointUrl: settings.endpoint,
      sessionName,
      clientNonce,
      ...(own && { clientCertificate: own.der }),
      requestedSessionTimeout: settings.sessionMs,
      maxResponseMessageSize: MAX_RESPONSE,
    });
    const response = await this.#opening<CreateSessionResponse>(request, signal);
    this.#token = response.authenticationToken;
    this.#serverNonce = response.serverNonce;
    // Some servers revise it to 0.
    if (response.revisedSessionTimeout > 0) this.#timeoutMs = response.revisedSessionTimeout;
    this.#verify(response, clientNonce);
  }

  /** Part 4, 5.6.2: the server owns the certificate, and offered nothing better than what was taken. */
  #verify(response: CreateSessionResponse, clientNonce: Buffer): void {
    const { settings, own } = this.#identity;
    const { securityPolicyUri, serverCertificate } = this.#endpoint;
    if (own === undefined || policyOf(securityPolicyUri) === 'None') return;
    const signed = verifySignature(
      own.der,
      clientNonce,
      response.serverSignature,
      serverCertificate,
      securityPolicyUri as SecurityPolicy,
    );
    if (!signed) {
      throw new Unreachable(
        'OPCUA_SERVER_SIGNATURE',
        `${settings.endpoint} does not own the certificate that it shows; somebody may sit in between`,
      );
    }
    const told = (response.serverEndpoints ?? []) as unknown as Offer[];
    if (told.length === 0) return;
    const best = choose(told, settings);
    if (best.securityMode > this.#endpoint.securityMode) {
      throw new Unreachable(
        'OPCUA_DOWNGRADE',
        `${settings.endpoint} offers better security than it told at first; somebody may sit in between`,
      );
    }
  }

  async #activate(signal: AbortSignal): Promise<void> {
    const { own } = this.#identity;
    const { securityPolicyUri, serverCertificate } = this.#endpoint;
    const policy = securityPolicyUri as SecurityPolicy;
    const secured = own !== undefined && policyOf(securityPolicyUri) !== 'None';
    const nonce = this.#serverNonce;
    const { token, signature } = this.#userToken();
    const clientSignature =
      secured && nonce !== undefined
        ? computeSignature(serverCertificate, nonce, { hidden: createPrivateKey(own.key) }, policy)
        : undefined;
    const request = new ActivateSessionRequest({
      ...(clientSignature && { clientSignature }),
      localeIds: ['en'],
      userIdentityToken: token,
      ...(signature && { userTokenSignature: signature }),
    });
    const response = await this.#opening<ActivateSessionResponse>(request, signal);
    this.#serverNonce = response.serverNonce;
  }

  #userToken() {
    const { settings, certificate = '', key = '' } = this.#identity;
    const offer = tokenFor(this.#endpoint as unknown as Offer, settings);
    const policyId = offer?.policyId ?? null;
    switch (settings.user.kind) {
      case 'anonymous':
        return { token: new AnonymousIdentityToken({ policyId }) };
      case 'password':
        return { token: this.#passwordToken(settings.user.name, policyId) };
      case 'certificate': {
        const policy = this.#tokenPolicy();
        const token = new X509IdentityToken({
          policyId,
          certificateData: new X509Certificate(certificate).raw,
        });
        const { serverCertificate } = this.#endpoint;
        const nonce = this.#serverNonce ?? Buffer.alloc(0);
        const signer = { hidden: createPrivateKey(key) };
        return { token, signature: computeSignature(serverCertificate, nonce, signer, policy) };
      }
    }
  }

  #passwordToken(userName: string, policyId: string | null): UserNameIdentityToken {
    const { settings, password = '' } = this.#identity;
    const policy = this.#tokenPolicy();
    const factory = getCryptoFactory(policy);
    const secret = Buffer.from(password);
    if (policyOf(policy) === 'None' || !factory) {
      // Sign and encrypt hides it already; with anything less everybody on the way could read it.
      if (this.#endpoint.securityMode !== 3 && !settings.plainPassword) {
        throw new Misconfigured(
          'OPCUA_PLAIN_PASSWORD',
          `${settings.endpoint} takes the password unencrypted only; use security: signAndEncrypt, or set plainPassword: true if the network may see it`,
        );
      }
      return new UserNameIdentityToken({ policyId, userName, password: secret });
    }
    // Part 4, 7.41.2.2: length, secret, nonce of the server
    const nonce = this.#serverNonce ?? Buffer.alloc(0);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(secret.length + nonce.length);
    const x509 = new X509Certificate(this.#endpoint.serverCertificate);
    return new UserNameIdentityToken({
      policyId,
      userName,
      encryptionAlgorithm: factory.asymmetricEncryptionAlgorithm ?? null,
      password: factory.asymmetricEncrypt(
        Buffer.concat([length, secret, nonce]),
        createPublicKey(x509.publicKey.export({ type: 'spki', format: 'pem' })),
      ),
    });
  }

  #tokenPolicy(): SecurityPolicy {
    const offer = tokenFor(this.#endpoint as unknown as Offer, this.#identity.settings);
    const own = offer?.securityPolicyUri ?? '';
    return (own === '' ? this.#endpoint.securityPolicyUri : own) as SecurityPolicy;
  }

  async #opening<T extends Response>(request: Request, signal: AbortSignal): Promise<T> {
    const { settings, own } = this.#identity;
    try {
      return await this.ask<T>(request, signal);
    } catch (error) {
      const { status } = error as { status?: Status };
      throw status === undefined ? error : openError(status, settings.endpoint, own?.thumbprint);
    }
  }
}
