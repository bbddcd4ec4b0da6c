/** What goes wrong in the API, as Kubernetes `Status` objects, so that its clients understand it. */
import type { CallFailure } from '@limpet/dmi/manifest';
import { GROUP, KINDS } from './kinds.ts';
import type { Target } from './backend.ts';

/** Kubernetes' reasons, each with the HTTP code that it always travels with. */
export const STATUS_CODES = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

export type StatusReason = keyof typeof STATUS_CODES;

/** One fault of a document. `field` is a path like `spec.desired.setpoint`. */
export interface Cause {
  readonly field: string;
  /** `FieldValueInvalid`, `FieldValueRequired`, … or a code of ours like `VALUE_OUT_OF_RANGE`. */
  readonly reason: string;
  readonly message: string;
  /** Of a query: where in its text, and what to write instead. `line` and `column` count from 1. */
  readonly offset?: number;
  readonly length?: number;
  readonly line?: number;
  readonly column?: number;
  readonly suggestion?: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  /** Plural, as in paths. */
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly Cause[];
  readonly retryAfterSeconds?: number;
  /** Of a call that did not succeed: how far it came, our code, and whether the device has carried it out. */
  readonly call?: Pick<CallFailure, 'at' | 'code' | 'ran'>;
}

/** As it stands in a response body. */
export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: Record<string, never>;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: StatusReason;
  readonly details?: StatusDetails;
  readonly code: number;
}

/** Why a request was not served: thrown by backends, answered by the front, rebuilt by the client. */
export class ApiError extends Error {
  /** HTTP status code. */
  readonly code: number;
  readonly reason: StatusReason;
  readonly details: StatusDetails;

  constructor(
    reason: StatusReason,
    message: string,
    details: StatusDetails = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ApiError';
    this.code = STATUS_CODES[reason];
    this.reason = reason;
    this.details = details;
  }

  /** The response body. */
  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(Object.keys(this.details).length > 0 && { details: this.details }),
      code: this.code,
    };
  }
}

export function notFound(target: Target): ApiError {
  return new ApiError('NotFound', `${title(target)} not found`, about(target));
}

export function alreadyExists(target: Target): ApiError {
  return new ApiError('AlreadyExists', `${title(target)} already exists`, about(target));
}

/** `why` is a sentence: what moved, and what to do. */
export function conflict(target: Target, why: string): ApiError {
  const message = `operation cannot be fulfilled on ${title(target)}: ${why}`;
  return new ApiError('Conflict', message, about(target));
}

/** A document or patch with faults, all of them at once. */
export function invalid(target: Target, causes: readonly Cause[]): ApiError {
  const faults = causes.map(({ field, message }) => `${field}: ${message}`).join('; ');
  const message = `${KINDS[target.kind].kind} "${target.name}" is invalid: ${faults}`;
  // As in Kubernetes, the kind of what is invalid, not its plural: kubectl begins its sentence with it.
  const { kind } = KINDS[target.kind];
  return new ApiError('Invalid', message, { ...about(target), kind, causes });
}

export function badRequest(message: string): ApiError {
  return new ApiError('BadRequest', message);
}

export function methodNotAllowed(message: string): ApiError {
  return new ApiError('MethodNotAllowed', message);
}

/** The client lists again and watches from there. */
export function expired(message: string): ApiError {
  return new ApiError('Expired', message);
}

export function tooManyRequests(message: string, retryAfterSeconds: number): ApiError {
  return new ApiError('TooManyRequests', message, { retryAfterSeconds });
}

/** The error that a response's body describes; `code` is what stands in for one that is not a Status. */
export function errorOfStatus(body: unknown, code: number): ApiError {
  const { kind, message, reason, details } = (body ?? {}) as Partial<Status>;
  if (kind === 'Status' && reason !== undefined && Object.hasOwn(STATUS_CODES, reason)) {
    return new ApiError(reason, message ?? reason, details);
  }
  const near = Object.entries(STATUS_CODES).find(([, known]) => known === code)?.[0];
  const fallback = code < 500 ? 'BadRequest' : 'InternalError';
  return new ApiError(
    (near as StatusReason | undefined) ?? fallback,
    `the server answered ${code} without saying why: is this Limpet's API?`,
  );
}

function title(target: Target): string {
  const where = target.namespace === undefined ? '' : ` in namespace "${target.namespace}"`;
  return `${KINDS[target.kind].plural}.${GROUP} "${target.name}"${where}`;
}

function about(target: Target): StatusDetails {
  return { name: target.name, group: GROUP, kind: KINDS[target.kind].plural };
}
