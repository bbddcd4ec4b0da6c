/** One secure channel: opened, asked, watched and closed. What becomes of it after a loss is not its business. */
import { type Clock, type DmiError, Garbled, Unreachable } from '@limpet/dmi';
import { createPrivateKey } from 'node:crypto';
import {
  ClientSecureChannelLayer,
  type ClientSecureChannelLayerOptions,
  type Request,
  type Response,
  type SecurityPolicy,
  type ServiceFaultAnnotatedError,
} from 'node-opcua-secure-channel';
import type { MessageSecurityMode } from 'node-opcua-types';
import { type OwnCertificate } from './own-certificate.ts';
import { isGood, openError, serviceError, type Status } from './status.ts';
import { Wire, WireTransport } from './wire.ts';
import type { Duplex } from 'node:stream';

/** How the messages of a channel are kept from others. */
export interface Protection {
  readonly mode: MessageSecurityMode;
  readonly policy: SecurityPolicy;
  readonly serverCertificate?: Buffer;
  readonly own?: OwnCertificate;
}

export interface ChannelOptions {
  readonly endpoint: string;
  readonly stream: Duplex;
  readonly protection?: Protection;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** A security token lives so long; it is renewed at three quarters. */
const TOKEN_MS = 3_600_000;
/** How long a server may take to hang up. */
const HANG_UP_MS = 30;

/** Invariant: `lost` is told once at most, and never after {@link Channel.close}. */
export class Channel {
  readonly #layer: ClientSecureChannelLayer;
  readonly #wire: Wire;
  readonly #options: ChannelOptions;
  readonly #losses = new Set<(error: DmiError) => void>();
  #end: DmiError | undefined;

  private constructor(options: ChannelOptions) {
    const { stream, protection, timeoutMs } = options;
    this.#options = options;
    this.#wire = new Wire(stream);
    const settings: ClientSecureChannelLayerOptions = {
      defaultSecureTokenLifetime: TOKEN_MS,
      defaultTransactionTimeout: timeoutMs,
      transportTimeout: timeoutMs,
      // Its own reconnecting goes silent after a server's restart; ours is the runtime's.
      connectionStrategy: { maxRetry: 0 },
      transportFactory: { create: () => new WireTransport(this.#wire) },
      ...(protection && protectionOf(protection)),
    };
    this.#layer = new ClientSecureChannelLayer(settings);
    this.#layer.on('close', () => this.#lose());
    // A late answer to what it has given up would be thrown at nobody.
    this.#layer.on('timed_out_request', () => this.#lose(this.#timeout('the server')));
    this.#wire.on('close', () => this.#lose());
  }

  /** @throws Unreachable, Garbled, Misconfigured */
  static async open(options: ChannelOptions, signal: AbortSignal): Promise<Channel> {
    if (signal.aborted) {
      options.stream.destroy();
      throw signal.reason;
    }
    const channel = new Channel(options);
    const opened = new Promise<void>((resolve, reject) => {
      channel.#layer.create(options.endpoint, (error?: Error | null) => {
        if (error) reject(error);
        else resolve();
      });
    });
    try {
      await channel.#bounded(opened, signal, options.timeoutMs);
      return channel;
    } catch (error) {
      await channel.close();
      throw signal.aborted ? signal.reason : channel.#opening(error);
    }
  }

  /** Ends with what lost it. */
  onLost(listener: (error: DmiError) => void): void {
    this.#losses.add(listener);
  }

  /**
   * One service. `timeoutMs`: an answer that takes longer loses the channel.
   * @throws Unreachable, Garbled; what {@link serviceError} makes of a refusal; the signal's reason
   */
  async ask<T extends Response>(
    request: Request,
    signal: AbortSignal,
    timeoutMs: number = this.#options.timeoutMs,
  ): Promise<T> {
    if (this.#end !== undefined) throw this.#end;
    signal.throwIfAborted();
    request.requestHeader.timeoutHint = timeoutMs;
    const answer = new Promise<T>((resolve, reject) => {
      this.#layer.performMessageTransaction(request, (error, response) => {
        if (error) reject(this.#refused(error, request));
        else resolve(granted(response as T, request));
      });
    });
    return this.#bounded(answer, signal, timeoutMs);
  }

  /** Frees the socket and whatever waits. */
  async close(): Promise<void> {
    this.#end ??= new Unreachable('OPCUA_CLOSED', 'the connection was closed');
    this.#losses.clear();
    if (this.#layer.isOpened()) {
      // CloseSecureChannel is not answered (Part 4, 5.5.3). The library waits 100 ms for the server to hang up: too
      // long for an abort, which has to end within them.
      const { promise, resolve } = Promise.withResolvers<void>();
      const cancel = this.#options.clock.after(HANG_UP_MS, resolve);
      this.#layer.close(() => resolve());
      await promise.finally(cancel);
    }
    this.#layer.dispose();
    this.#wire.destroy();
  }

  /** The channel is useless: everything that waits is told so. */
  fail(error: DmiError): void {
    this.#lose(error);
  }

  async #bounded<T>(answer: Promise<T>, signal: AbortSignal, timeoutMs: number): Promise<T> {
    const { clock } = this.#options;
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(signal.reason);
    const lost = (error: DmiError): void => reject(error);
    const cancel = clock.after(timeoutMs, () => this.#lose(this.#timeout('the server')));
    signal.addEventListener('abort', abort, { once: true });
    this.#losses.add(lost);
    answer.catch(() => undefined);
    try {
      return await Promise.race([answer, promise]);
    } finally {
      cancel();
      signal.removeEventListener('abort', abort);
      this.#losses.delete(lost);
    }
  }

  #lose(error?: DmiError): void {
    if (this.#end !== undefined) return;
    const cause = this.#wire.fault;
    this.#end =
      error ??
      (cause instanceof Garbled
        ? cause
        : new Unreachable('OPCUA_CLOSED', 'the server closed the connection', { cause }));
    const listeners = [...this.#losses];
    this.#losses.clear();
    for (const listener of listeners) listener(this.#end);
    this.#layer.dispose();
    this.#wire.destroy();
  }

  #timeout(what: string): DmiError {
    const { timeoutMs, endpoint } = this.#options;
    return new Unreachable(
      'OPCUA_TIMEOUT',
      `${what} at ${endpoint} did not answer within ${timeoutMs} ms`,
    );
  }

  #refused(error: Error, request: Request): unknown {
    const status = (error as ServiceFaultAnnotatedError).response?.responseHeader.serviceResult;
    if (status !== undefined) return serviceError(status, request.constructor.name);
    return this.#end ?? this.#opening(error);
  }

  /** Why no channel came about, or it broke, in words of ours. */
  #opening(error: unknown): Error {
    const { endpoint, protection } = this.#options;
    if (error === this.#end && this.#end?.code !== 'OPCUA_CLOSED') return this.#end as Error;
    const { fault } = this.#wire;
    if (fault instanceof Garbled) return fault;
    const status = statusIn(error);
    if (status !== undefined) return openError(status, endpoint, protection?.own?.thumbprint);
    const cause = fault ?? error;
    const secured = protection?.own !== undefined;
    const hint = secured
      ? `; if it goes on, let the server trust this node's certificate (thumbprint ${protection.own?.thumbprint})`
      : '';
    return new Unreachable('OPCUA_CLOSED', `${endpoint} closed the connection${hint}`, { cause });
  }
}

/** Some servers refuse in the service's own answer, not with a fault. @throws what {@link serviceError} makes of it */
function granted<T extends Response>(response: T, request: Request): Promise<T> {
  const { serviceResult } = response.responseHeader;
  return isGood(serviceResult)
    ? Promise.resolve(response)
    : Promise.reject(serviceError(serviceResult, request.constructor.name));
}

/** The library puts a StatusCode into the text of some errors. */
function statusIn(error: unknown): Status | undefined {
  const { statusCode, message = '' } = error as { statusCode?: Status; message?: string };
  if (statusCode?.name !== undefined) return statusCode;
  const [, name] = /\b(Bad[A-Z]\w+)/.exec(message) ?? [];
  return name === undefined ? undefined : { name, value: 0x8000_0000 };
}

function protectionOf(protection: Protection): Partial<ClientSecureChannelLayerOptions> {
  const { mode, policy, serverCertificate, own } = protection;
  if (serverCertificate === undefined || own === undefined) return {};
  return {
    securityMode: mode,
    securityPolicy: policy,
    serverCertificate,
    parent: {
      getCertificate: () => own.der,
      getCertificateChain: () => [own.der],
      getPrivateKey: () => ({ hidden: createPrivateKey(own.key) }),
    },
  };
}
