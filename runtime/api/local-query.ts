/** Answers queries from this node's own twins. Loaded when somebody asks one: what it brings is most of its cost. */
import { API_VERSION, type Device, type DeviceModel, type Node } from '@limpet/dmi/manifest';
import { ApiError, type QueryAnswer, type QueryAsked } from '#protocol/api';
import { catalogOf, evaluateSelect, faultOf, pageOf, prepare, QueryError } from '#protocol/query';

/** What there is on this node, read when it is needed. */
export interface Local {
  devices(): Iterable<Device>;
  nodes(): Iterable<Node>;
  models(): Iterable<DeviceModel>;
  /** The version of what these tell. */
  version(): number;
  now(): number;
}

/** @throws ApiError BadRequest */
export function answerLocally(asked: QueryAsked, local: Local): QueryAnswer {
  const started = local.now();
  const version = local.version();
  expectKnown(asked, version);
  try {
    const models = [...local.models()];
    const devices = [...local.devices()];
    const declared = models.flatMap(({ spec }) => spec.properties);
    const reported = devices.flatMap(({ status }) => Object.keys(status?.twin ?? {}));
    const prepared = prepare(asked, catalogOf(declared, reported), started);
    const { query, after, limit } = prepared;
    if (query.explain) return planOf(devices.length);
    const fleet = { devices: () => devices, nodes: () => local.nodes(), models: () => models };
    const found = evaluateSelect(query, fleet, { limit, ...(after && { after }) });
    const { columns, rows, continue: next } = pageOf(asked.query, prepared, found);
    const tookMs = Math.max(0, local.now() - started);
    const metadata = { resourceVersion: String(version), ...(next && { continue: next }), tookMs };
    return { apiVersion: API_VERSION, kind: 'QueryResult', columns, rows, metadata };
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    const cause = faultOf(error, asked.query);
    throw new ApiError('BadRequest', `query: ${error.message}`, {
      causes: [{ field: 'query', ...cause }],
    });
  }
}

/** What a node wrote, it knows at once. */
function expectKnown({ after }: QueryAsked, version: number): void {
  if (after === undefined || after <= version) return;
  throw new ApiError('Timeout', `version ${after} has not come to this node; it is at ${version}`);
}

function planOf(devices: number): QueryAnswer {
  return {
    apiVersion: API_VERSION,
    kind: 'QueryPlan',
    steps: [`read all of this node from memory (${devices} devices), keep what WHERE keeps, sort`],
    estimate: { rows: devices, cost: devices, ceiling: Number.MAX_SAFE_INTEGER },
  };
}
