/** `POST …/devices/NAME/methods/METHOD`: what is asked, and what a call that did not succeed is answered with. */
import type { IncomingMessage } from 'node:http';
import type { Json } from '@limpet/dmi';
import {
  CALL_TIMEOUT_MS,
  type CallFailure,
  type CallOutcome,
  MAX_CALL_TIMEOUT_MS,
} from '@limpet/dmi/manifest';
import type { Answer } from './answer.ts';
import type { Backend, Document, Target } from './backend.ts';
import { GROUP, KINDS } from './kinds.ts';
import { IDLE_SOCKET_MS } from './limits.ts';
import type { Parameters } from './parameters.ts';
import { ApiError, badRequest, methodNotAllowed, type StatusReason } from './status.ts';

export interface CallRoute {
  readonly verb: 'call';
  readonly target: Target;
  readonly method: string;
  readonly timeoutMs: number;
}

/** @throws ApiError BadRequest */
export function onMethod(
  { target, method }: { readonly target: Target; readonly method: string },
  parameters: Parameters,
): CallRoute {
  parameters.only(['timeout']);
  const timeoutMs = parameters.durationMs('timeout') ?? CALL_TIMEOUT_MS;
  if (timeoutMs > MAX_CALL_TIMEOUT_MS) {
    throw badRequest(`query parameter timeout: at most ${MAX_CALL_TIMEOUT_MS / 1_000}s`);
  }
  return { verb: 'call', target, method, timeoutMs };
}

/** Answers when the device did; a client that goes away calls it off. */
export async function answerCall(
  backend: Backend,
  { target, method, timeoutMs }: CallRoute,
  body: Document,
  { answer, request }: { readonly answer: Answer; readonly request: IncomingMessage },
): Promise<void> {
  if (backend.call === undefined) throw methodNotAllowed('devices cannot be called here');
  const input = inputOf(body);
  const gone = new AbortController();
  const { response } = answer;
  const close = (): void => gone.abort(new Error('the client has gone'));
  response.once('close', close);
  // A method may say nothing for longer than an idle connection lives.
  request.socket.setTimeout(timeoutMs + IDLE_SOCKET_MS);
  let outcome: CallOutcome;
  try {
    outcome = await backend.call(target, { method, input, timeoutMs }, gone.signal);
  } finally {
    response.off('close', close);
    request.socket.setTimeout(IDLE_SOCKET_MS);
  }
  if (!outcome.ok) throw callError(target, outcome);
  answer.json(200, { output: outcome.output });
}

function inputOf(body: Document): Json {
  const [other] = Object.keys(body).filter((name) => name !== 'input');
  if (other === undefined) return body['input'] ?? {};
  throw badRequest(`the body: expected { "input": { … } }, found "${other.slice(0, 80)}" in it`);
}

const RAN: Readonly<Record<CallFailure['ran'], string>> = {
  no: '',
  maybe: '. It may have been carried out: look at the device before you call again',
  yes: '',
};

/** Says where it stopped. */
function callError(target: Target, failure: CallFailure): ApiError {
  const { at, code, message, ran, faults = [] } = failure;
  const causes =
    faults.length === 0
      ? [{ field: at, reason: code, message }]
      : faults.map((each) => {
          return { field: `input.${each.argument}`, reason: each.code, message: each.message };
        });
  const text = `stopped at the ${at}: ${message.replace(/\.$/, '')}${RAN[ran]}`;
  return new ApiError(reasonOf(failure), text, {
    name: target.name,
    group: GROUP,
    kind: KINDS[target.kind].plural,
    causes,
    call: { at, code, ran },
    ...(code === 'CALL_BUSY' && { retryAfterSeconds: 1 }),
  });
}

const REASONS: Readonly<Record<string, StatusReason>> = {
  METHOD_UNKNOWN: 'NotFound',
  DEVICE_UNKNOWN: 'NotFound',
  INPUT_INVALID: 'Invalid',
  VALUE_TOO_LARGE: 'Invalid',
  CALL_BUSY: 'TooManyRequests',
  CALL_TIMEOUT: 'Timeout',
};

function reasonOf({ at, code, ran, faults }: CallFailure): StatusReason {
  if (faults !== undefined) return 'Invalid';
  if (at === 'device' && ran === 'no') return 'Conflict';
  return (Object.hasOwn(REASONS, code) ? REASONS[code] : undefined) ?? 'ServiceUnavailable';
}
