/** An UPDATE that is asked as a query: it begins a rollout, or says what that would do. */
import type { Rollout } from '@limpet/dmi/manifest';
import {
  ApiError,
  type Backend,
  creation,
  type Document,
  methodNotAllowed,
  nameForRollout,
  type QueryAsked,
} from '#protocol/api';
import { parse, QueryError } from '#protocol/query';

/** Undefined: it is no UPDATE. @throws ApiError BadRequest, Conflict, Forbidden, MethodNotAllowed */
export async function rolloutAsked(
  backend: Pick<Backend, 'write'>,
  { query, rollout }: QueryAsked,
): Promise<Rollout | undefined> {
  const dryRun = dryRunOf(query);
  if (dryRun === undefined) return undefined;
  if (rollout === undefined) throw methodNotAllowed('an UPDATE changes what is desired: POST it');
  const { namespace = 'default', name = nameForRollout(query) } = rollout;
  const target = { kind: 'Rollout', namespace, name } as const;
  const doc: Document = {
    apiVersion: 'limpet.dev/v1',
    kind: 'Rollout',
    metadata: { name, namespace },
    // What is left says the same without asking.
    spec: { query: dryRun ? query.replace(/\bDRY\s+RUN\b(?!.*\bDRY\s+RUN\b)/is, ' ') : query },
  };
  try {
    return (await backend.write(target, creation(target, doc), { dryRun })) as Rollout;
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== 'BadRequest') throw error;
    const causes = (error.details.causes ?? []).map((cause) => ({ ...cause, field: 'query' }));
    throw new ApiError('BadRequest', error.message, { ...error.details, causes });
  }
}

/** Whether an UPDATE is a dry run; undefined: it is something else, or nothing that can be read. */
function dryRunOf(query: string): boolean | undefined {
  try {
    const tree = parse(query);
    return tree.kind === 'update' && !tree.explain ? tree.dryRun : undefined;
  } catch (error) {
    if (error instanceof QueryError) return undefined;
    throw error;
  }
}
