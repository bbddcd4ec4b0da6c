/** `GET …/devices/NAME/why/PROPERTY` and `GET …/nodes/NAME/load`: what only the edge itself knows, and keeps nowhere. */
import { API_VERSION, type Explanation, type NodeLoad, suggestion } from '@limpet/dmi/manifest';
import type { Answer } from './answer.ts';
import type { Backend, Target } from './backend.ts';
import { keyOf } from './backend.ts';
import type { Parameters } from './parameters.ts';
import { ApiError, methodNotAllowed } from './status.ts';

export interface WhyRoute {
  readonly verb: 'why';
  readonly target: Target;
  readonly property: string;
}

export interface LoadRoute {
  readonly verb: 'load';
  readonly target: Target;
}

/** What the API answers with. */
export type Load = NodeLoad & {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'NodeLoad';
};

/** What the API answers with. The first of the findings is the answer. */
export type Why = Explanation & {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'Explanation';
};

/** @throws ApiError BadRequest */
export function onWhy(
  { target, property }: { readonly target: Target; readonly property: string },
  parameters: Parameters,
): WhyRoute {
  parameters.only([]);
  return { verb: 'why', target, property };
}

export async function answerWhy(
  backend: Backend,
  asked: WhyRoute | LoadRoute,
  answer: Answer,
): Promise<void> {
  const gone = new AbortController();
  const close = (): void => gone.abort(new Error('the client has gone'));
  answer.response.once('close', close);
  try {
    answer.json(200, await told(backend, asked, gone.signal));
  } finally {
    answer.response.off('close', close);
  }
}

async function told(
  backend: Backend,
  asked: WhyRoute | LoadRoute,
  signal: AbortSignal,
): Promise<Why | Load> {
  if (asked.verb === 'load') {
    if (backend.load === undefined) throw methodNotAllowed('no load is known here');
    const load = await backend.load(asked.target, signal);
    return { apiVersion: API_VERSION, kind: 'NodeLoad', ...load };
  }
  if (backend.explain === undefined) throw methodNotAllowed('values cannot be explained here');
  const explanation = await backend.explain(asked.target, asked.property, signal);
  return { apiVersion: API_VERSION, kind: 'Explanation', ...explanation };
}

/** That a device has no such property, with the nearest name. */
export function noProperty(target: Target, property: string, known: readonly string[]): ApiError {
  const has = known.length === 0 ? ': its model is not known here, or has none' : '';
  return new ApiError(
    'NotFound',
    `device "${keyOf(target)}" has no property "${property}"${has}.${suggestion(property, known)}`,
  );
}

/** That there is no such device; of those that are known, the nearest, or the one of this name elsewhere. */
export function noDevice(target: Target, known: readonly string[]): ApiError {
  const id = keyOf(target);
  const elsewhere = known.find((each) => each.endsWith(`/${target.name}`));
  const meant = elsewhere === undefined ? suggestion(id, known) : ` Did you mean "${elsewhere}"?`;
  return new ApiError('NotFound', `device "${id}" not found here.${meant}`);
}
