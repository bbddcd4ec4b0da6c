/** What the language means, query by query: its answer over the fleet of cases, in the order of LANGUAGE.md. */
import type { Json } from '@limpet/dmi';

type Rows = readonly (readonly Json[])[];

/** Names of the devices that meet a condition. */
const where = (condition: string, ...names: readonly string[]): readonly [string, Rows] => [
  `SELECT name FROM devices WHERE ${condition}`,
  names.map((name) => [name]),
];

const A = { site: 'north', 'app.kubernetes.io/name': 'heat' };

export const ANSWERED: readonly (readonly [string, Rows])[] = [
  // Words in any case, comments, names with a hyphen and in quotes.
  ["select name From devices wHERE name = 'a'", [['a']]],
  ['SELECT name -- the name\nFROM devices /* all\n of them */ WHERE serial IS NULL', [['d']]],
  where('flow-rate > 1', 'a'),
  ['SELECT labels."app.kubernetes.io/name" FROM devices WHERE name = \'a\'', [['heat']]],
  where("serial = 'it''s'", 'a'),
  ['SELECT "name" FROM devices LIMIT 1;', [['a']]],

  // Sources, their columns, and what * is.
  [
    "SELECT * FROM devices WHERE name = 'd'",
    [
      [
        'plant/d',
        'boiler',
        'n3',
        'offline',
        null,
        { site: 'north' },
        { temperature: null, mode: 5 },
      ],
    ],
  ],
  [
    "SELECT * FROM properties WHERE name = 'b' AND property = 'setpoint'",
    [['default/b', 'setpoint', 40, 'good', '2026-11-22T11:59:59.000Z', 60, 'rejected']],
  ],
  ["SELECT * FROM nodes WHERE node = 'n3'", [['n3', 'offline', null, {}, null]]],
  [
    'SELECT * FROM models',
    [
      ['default', 'boiler', 'modbus', 8, {}],
      ['default', 'pump', 'modbus', 0, {}],
      ['plant', 'boiler', 'opcua', 2, {}],
    ],
  ],
  [
    "SELECT device, namespace, name, uid, created, model, node, state, reason, labels FROM devices WHERE name = 'a'",
    [
      [
        'default/a',
        'default',
        'a',
        'u1',
        '2026-11-01T00:00:00.000Z',
        'boiler',
        'n1',
        'online',
        null,
        A,
      ],
    ],
  ],
  ['SELECT count(*) FROM properties', [[21]]],
  [
    "SELECT device, value FROM properties WHERE property = 'running'",
    [
      ['default/a', true],
      ['default/b', false],
    ],
  ],
  ["SELECT model.protocol FROM devices WHERE name IN ('a', 'd')", [['modbus'], ['opcua']]],
  ['SELECT name FROM models WHERE properties > 2', [['boiler']]],
  ['SELECT temperature AS warm FROM devices ORDER BY warm LIMIT 1', [[20]]],
  ['SELECT DISTINCT model FROM devices', [['boiler'], ['pump']]],

  // A column before a property of its name; parts of json; labels; facts.
  ["SELECT state, properties.state FROM devices WHERE name = 'a'", [['online', 'idle']]],
  [
    "SELECT config.limits[0].high, config.limits[1], config.nowhere FROM devices WHERE name = 'a'",
    [[10, null, null]],
  ],
  where('config.limits[1] = 4', 'b'),
  ["SELECT name, labels.site FROM devices WHERE labels.site <> 'north'", [['b', 'south']]],
  where('labels.site IS NULL', 'c'),
  where('labels.unheard_of IS NOT NULL'),
  where("node.labels.site = 'north' AND node.state = 'online'", 'a', 'b', 'e'),
  [
    "SELECT name, node.arch, node.memory.total FROM devices WHERE name IN ('a', 'c', 'd')",
    [
      ['a', 'arm64', 1024],
      ['c', 'x64', 2048],
      ['d', null, null],
    ],
  ],
  [
    'SELECT node, arch, facts.addresses[1] FROM nodes WHERE uptime >= 300',
    [
      ['n1', 'arm64', '10.0.0.2'],
      ['n2', 'x64', '10.0.0.2'],
    ],
  ],
  [
    "SELECT node, last_seen FROM nodes WHERE last_seen IS NOT NULL AND state = 'offline'",
    [['n2', '2026-11-22T11:00:00.000Z']],
  ],

  // Types: what only the row tells is unknown; ints beyond 2^53; JSON; durations and times.
  where('config.mode = 5', 'b'),
  where('NOT config.mode = 5'),
  where("config.mode = 'auto'", 'a'),
  where('mode = 5', 'd'),
  where('running = true', 'a'),
  where('running', 'a'),
  where('NOT running', 'b'),
  ['SELECT sum(running) FROM devices', [[1]]],
  where("setpoint = '9007199254740993'", 'e'),
  where("setpoint = '9007199254740992'"),
  where('setpoint = 9007199254740992', 'e'),
  where('config IS NOT NULL', 'a', 'b'),
  where("created = '2026-11-01'", 'a', 'b', 'c', 'e', 'd'),
  where("at(temperature) = '2026-11-22T11:59:50Z'", 'a'),
  where('at(temperature) < now() - 30m', 'c'),
  where('age(temperature) < 1m', 'a', 'd'),
  where('age(temperature) = 2m0s', 'e'),
  where('age(temperature) BETWEEN 60000ms AND 1h', 'b', 'c', 'e'),
  [
    "SELECT at(temperature), age(temperature) FROM devices WHERE name = 'a'",
    [['2026-11-22T11:59:50.000Z', 10_000]],
  ],

  // NULL and the logic of three values.
  where('temperature IS NULL', 'd'),
  where('temperature > 50', 'a', 'c'),
  where('NOT temperature > 50', 'b', 'e'),
  where('temperature <> 20', 'a', 'c'),
  where("temperature > 50 OR labels.site = 'north'", 'a', 'c', 'e', 'd'),
  where("NOT (temperature > 50 AND labels.site = 'north')", 'b', 'e'),
  where('temperature NOT IN (20)', 'a', 'c'),
  where('config.nothing IS NULL AND config IS NOT NULL', 'a', 'b'),
  where('temperature IN (20, 95)', 'b', 'c', 'e'),
  where('temperature BETWEEN 20 AND 80.5', 'a', 'b', 'e'),
  where('temperature NOT BETWEEN 20 AND 80.5', 'c'),
  where('temperature > -1.5e3 AND temperature <= 2e1', 'b', 'e'),
  [
    "SELECT count(setpoint), count(*), sum(flow-rate), max(flow-rate) FROM devices WHERE name = 'b'",
    [[1, 1, null, null]],
  ],

  // Quality, reason, verdict, drift.
  [
    'SELECT name, quality(temperature), reason(temperature) FROM devices',
    [
      ['a', 'good', null],
      ['b', 'bad', 'BUSY'],
      ['c', 'stale', 'NODE_OFFLINE'],
      ['e', 'stale', 'GONE'],
      ['d', 'stale', 'NODE_UNKNOWN'],
    ],
  ],
  where("quality(temperature) = 'good'", 'a'),
  where("quality(temperature) = 'bad'", 'b'),
  where('quality(flow-rate) IS NULL', 'b', 'c', 'e', 'd'),
  [
    'SELECT name, state, reason FROM devices',
    [
      ['a', 'online', null],
      ['b', 'connecting', 'TIMEOUT'],
      ['c', 'offline', 'NODE_OFFLINE'],
      ['e', 'online', null],
      ['d', 'offline', 'NODE_UNKNOWN'],
    ],
  ],
  [
    'SELECT name, verdict(setpoint), drift(setpoint), desired.setpoint FROM devices',
    [
      ['a', 'applied', false, 50],
      ['b', 'rejected', true, 60],
      ['c', 'pending', true, 70],
      ['e', null, false, null],
      ['d', null, false, null],
    ],
  ],
  where('drift(setpoint)', 'b', 'c'),
  where("verdict(setpoint) = 'rejected'", 'b'),
  where('desired.setpoint > 55', 'b', 'c'),
  [
    "SELECT quality(value) FROM properties WHERE property = 'temperature' AND name = 'c'",
    [['stale']],
  ],
  ['SELECT device, property FROM properties WHERE drift(value)', [['default/b', 'setpoint']]],

  // Aggregates, groups and what they are put together by.
  [
    'SELECT count(temperature), count(DISTINCT temperature), min(temperature), max(temperature), avg(temperature), sum(temperature) FROM devices',
    [[4, 3, 20, 95, 53.875, 215.5]],
  ],
  [
    'SELECT percentile(temperature, 50), percentile(temperature, 95), percentile(temperature, 100) FROM devices',
    [[50.25, 92.825, 95]],
  ],
  [
    "SELECT count(*), min(temperature), avg(temperature) FROM devices WHERE name = 'nobody'",
    [[0, null, null]],
  ],
  [
    'SELECT labels.site, count(*) FROM devices GROUP BY labels.site',
    [
      ['north', 3],
      ['south', 1],
      [null, 1],
    ],
  ],
  [
    'SELECT labels.site AS site, count(*) AS n FROM devices GROUP BY site HAVING count(*) > 1',
    [['north', 3]],
  ],
  [
    'SELECT model, max(temperature) FROM devices GROUP BY 1 ORDER BY 2 DESC',
    [
      ['boiler', 95],
      ['pump', 20],
    ],
  ],
  ['SELECT node FROM devices GROUP BY node HAVING avg(temperature) >= 50', [['n2']]],
  [
    "SELECT property, count(*) FROM properties WHERE quality = 'good' GROUP BY property HAVING count(*) > 2",
    [
      ['serial', 3],
      ['setpoint', 3],
    ],
  ],
  ['SELECT model FROM devices GROUP BY model HAVING count(*) = 4', [['boiler']]],

  // Texts and LIKE.
  [
    'SELECT serial FROM devices WHERE serial IS NOT NULL ORDER BY serial',
    [['50%_x'], ['Zed'], ["it's"], ['é']],
  ],
  where("serial > 'Z' AND serial < 'é'", 'a', 'e'),
  where("mode LIKE 'a%'", 'a'),
  where("mode LIKE '_uto'", 'a', 'b'),
  where("serial LIKE '50\\%\\_%'", 'b'),
  where("serial LIKE '50\\_%'"),
  where("serial NOT LIKE '%e%'", 'a', 'b', 'c'),

  // Order: NULLs last both ways, numbers before texts, then what tells rows apart.
  [
    'SELECT name, temperature FROM devices ORDER BY temperature',
    [
      ['b', 20],
      ['e', 20],
      ['a', 80.5],
      ['c', 95],
      ['d', null],
    ],
  ],
  ['SELECT name FROM devices ORDER BY temperature DESC', [['c'], ['a'], ['b'], ['e'], ['d']]],
  [
    'SELECT name, mode FROM devices ORDER BY mode',
    [
      ['d', 5],
      ['b', 'Auto'],
      ['a', 'auto'],
      ['c', null],
      ['e', null],
    ],
  ],
  [
    'SELECT name FROM devices ORDER BY labels.site DESC, name DESC',
    [['b'], ['e'], ['d'], ['a'], ['c']],
  ],
  ['SELECT name FROM devices ORDER BY 1 DESC LIMIT 2', [['e'], ['d']]],
  ['SELECT name FROM devices LIMIT 0', []],
];
