/** Queries out of a seed: most are right, all are of the grammar. */
import type { Random } from './random.fixture.ts';

const TEXTS = [
  "''",
  "'a'",
  "'A'",
  "'auto'",
  "'b%'",
  "'é'",
  "'zz'",
  "'\u{1F600}'",
  "'back\\slash'",
  "'o''clock'",
];
const PATTERNS = [
  "'%'",
  "'a%'",
  "'%o'",
  "'_'",
  "'%\\%'",
  "'x\\_y'",
  "'A%'",
  "'%[%'",
  "'%a%o%'",
  "'\u{1F600}%'",
  "'*%'",
];
const NUMBERS = ['0', '1', '-2', '5', '50.125', '9007199254740993', '100'];
const DURATIONS = ['1s', '1m', '500ms', '1h30m'];
const OPS = ['=', '<>', '!=', '<', '<=', '>', '>='];

type Kind = 'number' | 'text' | 'bool' | 'time' | 'duration' | 'any';
type Choices = Readonly<Record<Kind, readonly string[]>>;

const OF: Readonly<Record<string, Choices>> = {
  devices: {
    number: ['temperature', 'setpoint', 'properties.temperature', 'desired.setpoint'],
    text: [
      'device',
      'namespace',
      'name',
      'model',
      'node',
      'state',
      'reason',
      'serial',
      'desired.serial',
      'labels.site',
      'labels."app.kubernetes.io/name"',
      'node.labels.site',
      'node.state',
      'model.protocol',
      'uid',
      'description',
      'quality(temperature)',
      'quality(mode)',
      'verdict(setpoint)',
      'verdict(config)',
      'reason(temperature)',
    ],
    bool: ['running', 'drift(setpoint)', 'drift(config)', 'desired.running'],
    time: ['last_seen', 'created', 'node.last_seen', 'at(temperature)', 'at(mode)'],
    duration: ['age(temperature)', 'age(config)'],
    any: [
      'mode',
      'config',
      'config.mode',
      'config.limits.high',
      'config.limits[0]',
      'config.list[1]',
      'config."odd key"',
      'config[2].mode',
      'desired.config.mode',
      'desired.mode',
      'node.arch',
      'node.uptime',
      'node.memory.available',
      'node.facts.os',
      'node.addresses[0]',
    ],
  },
  properties: {
    number: [],
    text: [
      'device',
      'property',
      'quality',
      'verdict',
      'model',
      'state',
      'labels.site',
      'reason(value)',
      'node.state',
    ],
    bool: ['drift(value)'],
    time: ['at', 'last_seen'],
    duration: ['age(value)'],
    any: ['value', 'desired', 'value.mode', 'value.limits.high', 'node.os'],
  },
  nodes: {
    number: [],
    text: ['node', 'name', 'state', 'labels.site', 'uid'],
    bool: [],
    time: ['last_seen', 'created'],
    duration: [],
    any: ['arch', 'os', 'uptime', 'memory.available', 'facts.memory.total', 'addresses[0]'],
  },
  models: {
    number: ['properties'],
    text: ['model', 'namespace', 'protocol', 'name'],
    bool: [],
    time: ['created'],
    duration: [],
    any: [],
  },
};

/** A text that parses and, nearly always, means something. */
export function randomQuery(random: Random): string {
  const source = random.of([
    'devices',
    'devices',
    'devices',
    'properties',
    'properties',
    'nodes',
    'models',
  ]);
  const choices = OF[source] as Choices;
  const where = random.chance(0.75) ? ` WHERE ${condition(random, choices, 3)}` : '';
  const limit = random.chance(0.3) ? ` LIMIT ${random.below(12)}` : '';
  if (random.chance(0.35)) return grouped(random, { source, choices, where, limit });
  const items = list(random, 4, () => (random.chance(0.1) ? '*' : leaf(random, choices)));
  const order = random.chance(0.6)
    ? ` ORDER BY ${list(random, 3, () => `${leaf(random, choices)}${random.of(['', ' ASC', ' DESC'])}`)}`
    : '';
  const distinct = random.chance(0.1) && order === '' && !items.includes('*') ? 'DISTINCT ' : '';
  return `SELECT ${distinct}${items} FROM ${source}${where}${order}${limit}`;
}

interface Parts {
  readonly source: string;
  readonly choices: Choices;
  readonly where: string;
  readonly limit: string;
}

function grouped(random: Random, { source, choices, where, limit }: Parts): string {
  const groups = random.chance(0.75)
    ? [...new Set(Array.from({ length: 1 + random.below(2) }, () => leaf(random, choices)))]
    : [];
  const aggregates = Array.from({ length: 1 + random.below(3) }, () => aggregate(random, choices));
  const items = [...groups, ...aggregates].join(', ');
  const groupBy = groups.length > 0 ? ` GROUP BY ${groups.join(', ')}` : '';
  const having = random.chance(0.3)
    ? ` HAVING ${aggregates[0] ?? ''} IS NOT NULL AND count(*) > ${random.below(4)}`
    : '';
  const by = random.chance(0.5)
    ? ` ORDER BY ${random.of([...groups, ...aggregates])}${random.of(['', ' DESC'])}`
    : '';
  return `SELECT ${items} FROM ${source}${where}${groupBy}${having}${by}${limit}`;
}

function aggregate(random: Random, choices: Choices): string {
  const some = leaf(random, choices);
  const numeric = leaf(random, choices, ['number', 'any', 'bool', 'duration']);
  return random.of([
    'count(*)',
    `count(${some})`,
    `count(DISTINCT ${some})`,
    `min(${some})`,
    `max(${some})`,
    `sum(${numeric})`,
    `avg(${numeric})`,
    `percentile(${numeric}, ${random.of(['0', '50', '95', '100', '99.9'])})`,
  ]);
}

const KINDS: readonly Kind[] = ['number', 'text', 'text', 'bool', 'time', 'duration', 'any', 'any'];

function leaf(random: Random, choices: Choices, kinds: readonly Kind[] = KINDS): string {
  const all = kinds.flatMap((kind) => choices[kind]);
  return all.length === 0 ? random.of(choices.text) : random.of(all);
}

function condition(random: Random, choices: Choices, depth: number): string {
  if (depth > 0 && random.chance(0.5)) {
    const [a, b] = [condition(random, choices, depth - 1), condition(random, choices, depth - 1)];
    return random.of([`(${a} AND ${b})`, `${a} AND ${b}`, `(${a} OR ${b})`, `NOT (${a})`]);
  }
  const kind = random.of(KINDS.filter((each) => choices[each].length > 0));
  const of = random.of(choices[kind]);
  return random.chance(0.1)
    ? `${of} IS ${random.of(['', 'NOT '])}NULL`
    : ofKind(random, kind, { of, choices });
}

function ofKind(
  random: Random,
  kind: Kind,
  { of, choices }: { readonly of: string; readonly choices: Choices },
): string {
  const op = random.of(OPS);
  const not = random.of(['', 'NOT ']);
  switch (kind) {
    case 'number': {
      const [a, b] = [random.of(NUMBERS), random.of(NUMBERS)];
      return random.of([
        `${of} ${op} ${a}`,
        `${a} ${op} ${of}`,
        `${of} ${not}BETWEEN ${a} AND ${b}`,
        `${of} ${not}IN (${a}, ${b})`,
        `${of} ${op} ${random.of(choices.number)}`,
      ]);
    }
    case 'text':
      return textual(random, { of, choices, op, not });
    case 'bool':
      return random.of([of, `NOT ${of}`, `${of} = ${random.of(['true', 'false'])}`]);
    case 'time':
      return random.of([
        `${of} ${op} now() - ${random.of(DURATIONS)}`,
        `${of} ${op} '2026-11-22T11:59:00Z'`,
        `${of} ${op} ${random.of(choices.time)}`,
      ]);
    case 'duration':
      return random.of([`${of} ${op} ${random.of(DURATIONS)}`, `${of} BETWEEN 1s AND 1m`]);
    case 'any': {
      const other = random.of(choices.any);
      return random.of([
        `${of} ${op} ${random.of(NUMBERS)}`,
        `${of} ${op} ${random.of(TEXTS)}`,
        `${of} ${op} true`,
        `${of} ${op} ${other}`,
        of,
        `${of} ${not}IN (${random.of(TEXTS)}, ${random.of(TEXTS)})`,
        `${of} ${not}LIKE ${random.of(PATTERNS)}`,
      ]);
    }
  }
}

interface Textual {
  readonly of: string;
  readonly choices: Choices;
  readonly op: string;
  readonly not: string;
}

const WORDS: Readonly<Record<string, string>> = {
  quality: "'bad'",
  verdict: "'rejected'",
  state: "'online'",
  'node.state': "'offline'",
  device: "'default/d014'",
  property: "'temperature'",
  model: "'boiler'",
  node: "'n1'",
  namespace: "'default'",
};

function textual(random: Random, { of, choices, op, not }: Textual): string {
  const word = WORDS[of] ?? WORDS[of.split('(', 1)[0] ?? ''];
  if (word !== undefined && random.chance(0.7))
    return `${of} ${random.of(['=', '=', '<>'])} ${word}`;
  if (word !== undefined) return `${of} ${random.of(['<', '>='])} ${word}`;
  return random.of([
    `${of} ${op} ${random.of(TEXTS)}`,
    `${of} ${not}LIKE ${random.of(PATTERNS)}`,
    `${of} ${not}IN (${random.of(TEXTS)}, 'north')`,
    `${of} ${op} ${random.of(choices.text)}`,
  ]);
}

function list(random: Random, most: number, make: () => string): string {
  return Array.from({ length: 1 + random.below(most) }, make).join(', ');
}
