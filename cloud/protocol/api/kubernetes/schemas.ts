/** The kinds as JSON Schema, for `kubectl explain` and for whoever generates a client. A test holds them against the checks. */
import type { Json } from '@limpet/dmi';
import type { Kind } from '@limpet/dmi/manifest';

export type Schema = { readonly [key: string]: Json };

const NAME = 'Lower-case letters, digits and "-", at most 63.';
const TIME = { format: 'date-time' };

const REASON = object('Why something is not good.', {
  code: text('For programs: stable, and listed where it comes from.'),
  message: text('For people: what is wrong, and what to do.'),
});

const ANY_OBJECT = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } as const;

const ARGUMENT = object(
  'One value that goes into a method or comes out of it.',
  {
    name: text('A letter or "_", then letters, digits, "_" and "-", at most 63.'),
    type: text('What the value is.', { enum: ['bool', 'int', 'float', 'string', 'bytes', 'json'] }),
    description: text('What it means, for people.'),
    unit: text('UCUM code, like Cel, kW or %.'),
  },
  ['name', 'type'],
);

const PROPERTY = object(
  'One named value of a device.',
  {
    name: text('A letter or "_", then letters, digits, "_" and "-", at most 63.'),
    type: text('What the value is.', { enum: ['bool', 'int', 'float', 'string', 'bytes', 'json'] }),
    access: text('Whether a value can be desired. Default read.', { enum: ['read', 'readWrite'] }),
    description: text('What it means, for people.'),
    unit: text('UCUM code, like Cel, kW or %.'),
    minimum: number('The least that it may be.'),
    maximum: number('The most that it may be.'),
    every: text('How often it is read: a duration like 500ms, 2s or 1m. Default 1s.'),
    history: {
      description:
        'Its past is kept on the edge: true for every change, or an object with "every", the least time that a value must have stood.',
      'x-kubernetes-preserve-unknown-fields': true,
    },
    deadband: number('A number that moved less than this, in its unit, is not reported.'),
    visitor: {
      ...ANY_OBJECT,
      description:
        'Where the value lives on the wire, as the mapper of the protocol wants it: limpet mapper describe PROTOCOL.',
    },
  },
  ['name', 'type', 'visitor'],
);

const METHOD = object(
  'Something that a device can be told to do at once: limpet call.',
  {
    name: text('A letter or "_", then letters, digits, "_" and "-", at most 63.'),
    description: text('What it does, for people.'),
    input: { type: 'array', description: 'What it takes.', items: ARGUMENT },
    output: { type: 'array', description: 'What it answers.', items: ARGUMENT },
    visitor: {
      ...ANY_OBJECT,
      description: 'Where the method lives on the wire, as the mapper wants it.',
    },
  },
  ['name', 'visitor'],
);

const TWIN = object('One property: what the device last said of it, and what is wanted.', {
  reported: object('What the device last said.', {
    value: any('The value; null until a first good reading.'),
    at: text('When the device gave it, by the clock of its edge.', TIME),
    quality: text('Whether to believe it.', { enum: ['good', 'stale', 'bad'] }),
    reason: REASON,
  }),
  desired: object('What is wanted, and how far that came.', {
    value: any('The value.'),
    rev: {
      type: 'integer',
      format: 'int64',
      description: 'Which order it is; the highest counts.',
    },
    verdict: text('What became of it.', { enum: ['pending', 'applied', 'rejected', 'expired'] }),
    reason: REASON,
    expires: text('Not to be carried out after this.', TIME),
    stages: object('When it came how far.', {
      accepted: text('On the disk of whoever took it.', TIME),
      stored: text('On the disk of the edge.', TIME),
      sent: text('On the wire.', TIME),
      confirmed: text('Read back from the device.', TIME),
    }),
  }),
});

const SPECS: Readonly<Record<Kind, Schema>> = {
  Device: object(
    'What the device is, and what is wanted of it.',
    {
      model: text(`The DeviceModel in the same namespace that says what it has. ${NAME}`),
      node: text(`The node whose edge runs it. ${NAME}`),
      description: text('For people.'),
      settings: {
        ...ANY_OBJECT,
        description:
          'How it is reached, as the mapper of its protocol wants it: limpet mapper describe PROTOCOL.',
      },
      desired: {
        ...ANY_OBJECT,
        description:
          'What its properties should be: each value is an order of its own, whose way to the device is told in status.twin.',
      },
    },
    ['model', 'node', 'settings'],
  ),
  DeviceModel: object(
    'What devices of this kind have.',
    {
      protocol: text('What they speak: the name of a mapper.'),
      description: text('For people.'),
      properties: { type: 'array', description: 'The values they have.', items: PROPERTY },
      methods: { type: 'array', description: 'What they can be told to do.', items: METHOD },
    },
    ['protocol', 'properties'],
  ),
  Rollout: object('Which devices shall have which desired values, and how carefully.', {
    query: text('UPDATE devices SET desired.x = … WHERE …'),
    set: { ...ANY_OBJECT, description: 'The same in parts: what is desired; null withdraws.' },
    where: text('The same in parts: the condition after WHERE.'),
    canary: {
      description: 'Devices to begin with: a number, or a share like 10%. Default 1.',
      'x-kubernetes-int-or-string': true,
    },
    batch: { type: 'integer', description: 'Devices at a time. Default 50.' },
    maxFailures: {
      type: 'integer',
      description: 'It stops when so many devices have failed. Default 1.',
    },
    timeout: text('How long one device may take. Default 1m.'),
    expires: text('Goes with each order: not to be carried out later than so long after it.'),
    withdraw: flag('What is not carried out in time is taken back.'),
    paused: flag('No further device is told; set to false, it goes on.'),
    revert: flag('What was desired before is desired again. Cannot be taken back.'),
  }),
  Node: object('What people say of a node; the rest it tells by itself.', {
    description: text('For people.'),
  }),
};

const STATUSES: Readonly<Partial<Record<Kind, Schema>>> = {
  Device: object('What is observed; told by its node.', {
    state: text('Whether it answers.', {
      enum: ['connecting', 'online', 'offline', 'misconfigured'],
    }),
    reason: REASON,
    lastSeen: text('When it last answered anything, by the clock of its edge.', TIME),
    twin: { type: 'object', description: 'Its properties by name.', additionalProperties: TWIN },
  }),
  Node: object('What is observed; told by its edge.', {
    state: text('Whether its edge is connected.', { enum: ['online', 'offline'] }),
    lastSeen: text('When its edge was last heard.', TIME),
    facts: {
      ...ANY_OBJECT,
      description: 'What the edge tells of itself: board, versions, mappers, memory, addresses.',
    },
  }),
};

const ROLLOUT_STATUS = object('How far it is; told by the service.', {
  phase: text('Planned, Canary, Running, Paused, Stopped, Done, Reverting, Reverted or Failed.'),
  reason: REASON,
  counts: { ...ANY_OBJECT, description: 'Devices by what became of them.' },
  batch: { type: 'integer', description: 'The batch under way; 0 is the canary.' },
  forgiven: { type: 'integer', description: 'Failures that stop it no more.' },
  started: text('When it began.', TIME),
  ended: text('When it ended.', TIME),
  preview: { ...ANY_OBJECT, description: 'Of a dry run only: what it would do.' },
});

const ABOUT: Readonly<Record<Kind, string>> = {
  Device: 'A device: what it is, how it is reached, what is wanted of it, and what it says.',
  DeviceModel: 'A kind of device: the properties and methods that its devices have.',
  Rollout: 'The same desired values for many devices, a few at a time.',
  Node: 'One edge computer that runs devices. It appears when its edge first connects.',
};

/** The members that a user may send, and the status that is shown. `metadata`: reference to its schema. */
export function schemaOf(kind: Kind, metadata: string): Schema {
  const status = kind === 'Rollout' ? ROLLOUT_STATUS : STATUSES[kind];
  return {
    type: 'object',
    description: ABOUT[kind],
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
    properties: {
      apiVersion: text('limpet.dev/v1'),
      kind: text(kind),
      metadata: {
        description: 'Name, namespace, labels and annotations.',
        allOf: [{ $ref: metadata }],
      },
      spec: SPECS[kind],
      ...(status && { status }),
    },
  };
}

const TEXTS = { type: 'object', additionalProperties: { type: 'string' } } as const;

export const METADATA: Schema = object('What every resource has.', {
  name: text(`Unique for its kind in its namespace. ${NAME}`),
  namespace: text(`${NAME} Default "default". Nodes have none.`),
  labels: { ...TEXTS, description: 'For selecting.' },
  annotations: { ...TEXTS, description: 'For everything else that is to be remembered with it.' },
  uid: text('Set by the server: tells it from others of the same name.'),
  resourceVersion: text('Set by the server: grows with every visible change.'),
  generation: {
    type: 'integer',
    format: 'int64',
    description: 'Set by the server: grows with the spec.',
  },
  creationTimestamp: text('Set by the server.', TIME),
  managedFields: {
    type: 'array',
    description: 'Set by the server: who has set which fields.',
    items: ANY_OBJECT,
  },
});

function object(
  description: string,
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[] = [],
): Schema {
  const rest = required.length === 0 ? {} : { required };
  return { type: 'object', description, properties, ...rest };
}

function text(description: string, more: Schema = {}): Schema {
  return { type: 'string', description, ...more };
}

function number(description: string): Schema {
  return { type: 'number', description };
}

function flag(description: string): Schema {
  return { type: 'boolean', description };
}

function any(description: string): Schema {
  return { description, 'x-kubernetes-preserve-unknown-fields': true };
}
