/** `GET …/rollouts/NAME/devices`: what became of each device of a rollout, page by page. */
import { API_VERSION, type OutcomeState, type RolloutOutcome } from '@limpet/dmi/manifest';
import type { Answer } from './answer.ts';
import type { Backend, Target } from './backend.ts';
import type { Parameters } from './parameters.ts';
import { badRequest, methodNotAllowed } from './status.ts';

/** At most `limit`, those after the place `after`; in one state, if it is given. */
export interface OutcomeQuery {
  readonly limit: number;
  readonly after?: number;
  readonly state?: OutcomeState;
}

/** `next`: there are more after this place. */
export interface Outcomes {
  readonly items: readonly RolloutOutcome[];
  readonly next?: number;
}

/** What the API answers with; ask again with `continue` for the next ones. */
export interface OutcomeList {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'RolloutDeviceList';
  readonly metadata: { readonly continue?: string };
  readonly items: readonly RolloutOutcome[];
}

export interface OutcomesRoute {
  readonly verb: 'outcomes';
  readonly target: Target;
  readonly query: OutcomeQuery;
}

const MOST_OUTCOMES = 1_000;
const STATES: readonly OutcomeState[] = [
  'pending',
  'sent',
  'applied',
  'rejected',
  'expired',
  'skipped',
  'reverted',
];

/** @throws ApiError BadRequest */
export function onOutcomes(
  { target }: { readonly target: Target },
  parameters: Parameters,
): OutcomesRoute {
  parameters.only(['limit', 'continue', 'state']);
  const after = parameters.whole('continue');
  const word = parameters.text('state');
  const state = STATES.find((each) => each === word);
  if (word !== undefined && state === undefined) {
    throw badRequest(`query parameter state: expected one of ${STATES.join(', ')}`);
  }
  const limit = Math.min(parameters.whole('limit') || MOST_OUTCOMES, MOST_OUTCOMES);
  const query = { limit, ...(after !== undefined && { after }), ...(state && { state }) };
  return { verb: 'outcomes', target, query };
}

export async function answerOutcomes(
  backend: Backend,
  { target, query }: OutcomesRoute,
  answer: Answer,
): Promise<void> {
  if (backend.outcomes === undefined) throw methodNotAllowed('rollouts are kept in the cloud');
  const { items, next } = await backend.outcomes(target, query);
  const metadata = next === undefined ? {} : { continue: String(next) };
  const list: OutcomeList = {
    apiVersion: API_VERSION,
    kind: 'RolloutDeviceList',
    metadata,
    items,
  };
  answer.json(200, list);
}
