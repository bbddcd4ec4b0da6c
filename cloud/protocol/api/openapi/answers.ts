/**
 * What our own paths are asked with and what they answer, by the name in the OpenAPI document. Where a type of the same
 * shape stands in the code, the compiler holds the two equal: see contract.test.ts.
 */
import { MAPPER_STATES } from '@limpet/dmi/manifest';
import * as v from 'valibot';
import { JSON_VALUE, OF_US, QUALITY, REPORTED, STAGES, STATUS, TIME, told } from './parts.ts';

const COUNT = v.number();

const OUTCOME = v.object({
  device: told(v.string(), 'NAMESPACE/NAME.'),
  state: v.picklist(['pending', 'sent', 'applied', 'rejected', 'expired', 'skipped', 'reverted']),
  batch: told(v.exactOptional(COUNT), '0 is the canary.'),
  code: v.exactOptional(v.string()),
  message: v.exactOptional(v.string()),
  before: told(v.record(v.string(), JSON_VALUE), 'What was desired before; null: nothing.'),
  stages: told(v.exactOptional(v.record(v.string(), STAGES)), 'By property.'),
});

const FINDING = v.object({
  stage: v.picklist([
    'manifest',
    'mapper',
    'device',
    'breaker',
    'port',
    'schedule',
    'deadband',
    'conversion',
    'queue',
    'link',
    'cloud',
    'none',
  ]),
  effect: told(v.picklist(['stops', 'explains']), 'explains: it is meant to be so.'),
  code: v.exactOptional(v.string()),
  message: v.string(),
  todo: v.exactOptional(v.string()),
  since: v.exactOptional(TIME),
  until: told(v.exactOptional(TIME), 'When it is over, or tried next.'),
});

const HOP = v.object({
  hop: v.picklist(['read', 'reported', 'sent', 'acknowledged', 'mirrored']),
  at: TIME,
  by: told(v.exactOptional(v.literal(true)), 'At this time or before.'),
});

const ORDER = v.object({
  value: JSON_VALUE,
  rev: COUNT,
  verdict: v.picklist(['pending', 'applied', 'rejected', 'expired']),
  stages: STAGES,
  expires: v.exactOptional(TIME),
  finding: v.exactOptional(FINDING),
});

const MAPPER = v.object({
  protocol: v.string(),
  state: v.picklist(MAPPER_STATES),
  restarts: COUNT,
  memory: v.exactOptional(COUNT),
  budget: v.exactOptional(COUNT),
});

const PAST = v.object({
  from: TIME,
  count: told(COUNT, 'Samples taken in it.'),
  heldMs: told(v.number(), 'How long a value held in it.'),
  min: v.exactOptional(v.number()),
  max: v.exactOptional(v.number()),
  mean: told(v.exactOptional(v.number()), 'Weighted by how long each value held.'),
  last: v.exactOptional(JSON_VALUE),
});

const SLOW = v.object({
  at: TIME,
  tookMs: v.number(),
  query: v.string(),
  rows: v.exactOptional(COUNT),
  outcome: v.string(),
  plan: v.array(v.string()),
});

export const SCHEMAS = {
  Status: STATUS,
  QueryAsked: v.object({
    query: told(v.string(), 'SELECT …, EXPLAIN SELECT …, or UPDATE …'),
    continue: told(v.exactOptional(v.string()), 'metadata.continue of the page before.'),
    after: told(
      v.exactOptional(v.number()),
      'Wait for this write: metadata.resourceVersion of its answer.',
    ),
    name: told(v.exactOptional(v.string()), 'Of an UPDATE: how its rollout is to be called.'),
    namespace: told(v.exactOptional(v.string()), 'Of an UPDATE: where its rollout stands.'),
  }),
  QueryResult: v.object({
    apiVersion: OF_US,
    kind: v.literal('QueryResult'),
    columns: v.array(
      v.object({ name: v.string(), type: v.string(), unit: v.exactOptional(v.string()) }),
    ),
    rows: v.array(v.array(JSON_VALUE)),
    metadata: v.object({
      resourceVersion: v.string(),
      continue: v.exactOptional(v.string()),
      tookMs: v.number(),
    }),
  }),
  QueryPlan: v.object({
    apiVersion: OF_US,
    kind: v.literal('QueryPlan'),
    steps: v.array(v.string()),
    estimate: v.object({ rows: COUNT, cost: v.number(), ceiling: v.number() }),
    sql: v.exactOptional(v.string()),
    plan: v.exactOptional(v.array(v.string())),
  }),
  SlowQueryList: v.object({
    apiVersion: OF_US,
    kind: v.literal('SlowQueryList'),
    thresholdMs: v.number(),
    items: v.array(SLOW),
  }),
  SampleList: v.object({
    apiVersion: OF_US,
    kind: v.literal('SampleList'),
    device: told(v.string(), 'NAMESPACE/NAME.'),
    property: v.string(),
    samples: v.array(v.object({ at: TIME, value: JSON_VALUE, quality: QUALITY })),
    gaps: v.array(v.object({ cause: v.string(), from: TIME, to: v.exactOptional(TIME) })),
    buckets: v.exactOptional(v.array(PAST)),
    next: told(v.exactOptional(v.string()), 'Ask again with continue for the next page.'),
  }),
  MethodInput: v.object({
    input: v.exactOptional(v.record(v.string(), JSON_VALUE)),
  }),
  MethodOutput: v.object({ output: v.record(v.string(), JSON_VALUE) }),
  CapturePage: v.object({
    events: v.array(
      v.object({
        us: told(v.number(), 'Microseconds since the capture began.'),
        kind: v.picklist(['open', 'close', 'in', 'out']),
        bytes: told(v.exactOptional(v.string()), 'Base64.'),
        text: v.exactOptional(v.string()),
      }),
    ),
    dropped: v.object({ events: COUNT, bytes: COUNT }),
    wires: COUNT,
    more: v.boolean(),
  }),
  Explanation: v.object({
    apiVersion: OF_US,
    kind: v.literal('Explanation'),
    device: v.string(),
    property: v.string(),
    from: told(v.picklist(['edge', 'cloud']), 'Who knew.'),
    now: TIME,
    unit: v.exactOptional(v.string()),
    reported: v.exactOptional(REPORTED),
    findings: told(v.array(FINDING), 'The first is the answer.'),
    hops: v.array(HOP),
    order: v.exactOptional(ORDER),
  }),
  NodeLoad: v.object({
    apiVersion: OF_US,
    kind: v.literal('NodeLoad'),
    node: v.string(),
    at: TIME,
    runMs: v.number(),
    devices: v.object({
      connecting: COUNT,
      online: COUNT,
      offline: COUNT,
      misconfigured: COUNT,
    }),
    readings: COUNT,
    failed: COUNT,
    missedCycles: COUNT,
    rows: told(COUNT, 'That the cloud does not have yet.'),
    link: v.object({
      state: v.picklist(['none', 'connecting', 'connected', 'offline']),
      since: v.exactOptional(TIME),
      code: v.exactOptional(v.string()),
    }),
    ports: v.array(
      v.object({ port: v.string(), devices: COUNT, waiting: COUNT, busyMs: v.number() }),
    ),
    memory: v.object({ now: COUNT, ceiling: v.exactOptional(COUNT) }),
    mappers: v.array(MAPPER),
    lagMs: v.number(),
    oldest: v.exactOptional(
      v.object({
        device: v.string(),
        property: v.string(),
        ageMs: v.number(),
        everyMs: v.number(),
      }),
    ),
  }),
  RolloutDeviceList: v.object({
    apiVersion: OF_US,
    kind: v.literal('RolloutDeviceList'),
    metadata: v.object({ continue: v.exactOptional(v.string()) }),
    items: v.array(OUTCOME),
  }),
} as const;

export type SchemaName = keyof typeof SCHEMAS;
