/** What the language refuses, query by query: with which code, where, and what it suggests instead. */
import type { QueryCode } from './error.ts';

/** `at`: the stretch of the query that is wrong; undefined: the query as a whole. */
export interface Refused {
  readonly code: QueryCode;
  readonly at?: string;
  readonly suggestion?: string;
}

const many = (count: number, text: string, separator: string): string =>
  Array.from({ length: count }, () => text).join(separator);

export const REFUSED: readonly (readonly [string, Refused])[] = [
  ['SELECT name FROM devices WHERE', { code: 'QUERY_SYNTAX', at: '' }],
  ["SELECT name FROM devices WHERE name = 'a", { code: 'QUERY_SYNTAX' }],
  ['SELECT name FROM devices AS OF now() LIMIT 1 AS OF now()', { code: 'QUERY_SYNTAX', at: 'AS' }],
  ['SELECT name FROM device', { code: 'QUERY_NAME', at: 'device', suggestion: 'devices' }],
  [
    'SELECT temprature FROM devices',
    { code: 'QUERY_NAME', at: 'temprature', suggestion: 'temperature' },
  ],
  [
    'SELECT name FROM devices WHERE name = "a"',
    { code: 'QUERY_NAME', at: '"a"', suggestion: "'a'" },
  ],
  [
    'SELECT labels.app.kubernetes FROM devices',
    { code: 'QUERY_NAME', at: 'labels.app.kubernetes', suggestion: 'labels."app.kubernetes"' },
  ],
  ['SELECT node.arhc FROM devices', { code: 'QUERY_NAME', at: 'node.arhc', suggestion: 'arch' }],
  [
    'SELECT temperature FROM properties',
    { code: 'QUERY_NAME', at: 'temperature', suggestion: "property = 'temperature'" },
  ],
  [
    'SELECT state.part FROM devices',
    { code: 'QUERY_NAME', at: 'state.part', suggestion: 'properties.state' },
  ],
  [
    'SELECT qualty(temperature) FROM devices',
    { code: 'QUERY_NAME', at: 'qualty(temperature)', suggestion: 'quality' },
  ],
  ["SELECT name FROM devices WHERE temperature = 'warm'", { code: 'QUERY_TYPE', at: "'warm'" }],
  ['SELECT name FROM devices WHERE name', { code: 'QUERY_TYPE', at: 'name' }],
  [
    'SELECT temperature.x FROM devices',
    { code: 'QUERY_TYPE', at: 'temperature.x', suggestion: 'temperature' },
  ],
  [
    'SELECT name FROM devices WHERE temperature = NULL',
    { code: 'QUERY_TYPE', at: 'NULL', suggestion: 'IS NULL' },
  ],
  ["SELECT name FROM devices WHERE created > 'soon'", { code: 'QUERY_VALUE', at: "'soon'" }],
  ['SELECT percentile(temperature, 101) FROM devices', { code: 'QUERY_VALUE', at: '101' }],
  [
    'SELECT percentile(temperature, 0.95) FROM devices',
    { code: 'QUERY_VALUE', at: '0.95', suggestion: '95' },
  ],
  ['SELECT labels.app.kubernetes.io/name FROM devices', { code: 'QUERY_SYNTAX', at: '/' }],
  ['SELECT temp FROM devices', { code: 'QUERY_NAME', at: 'temp', suggestion: 'temperature' }],
  ['SELECT name, count(*) FROM devices', { code: 'QUERY_GROUP', at: 'name' }],
  ['SELECT name FROM devices WHERE count(*) > 1', { code: 'QUERY_GROUP', at: 'count(*)' }],
  [
    'SELECT name FROM devices WHERE setpoint = 1 /* ' + 'x'.repeat(16_384) + '*/',
    { code: 'QUERY_TOO_LARGE' },
  ],
  [
    `SELECT name FROM devices WHERE temperature IN (${many(1_001, '1', ',')})`,
    { code: 'QUERY_TOO_LARGE' },
  ],
  [`SELECT ${many(101, 'name', ',')} FROM devices`, { code: 'QUERY_TOO_LARGE' }],
  [`SELECT config${'.a'.repeat(17)} FROM devices`, { code: 'QUERY_TOO_LARGE' }],
  [
    `SELECT name FROM devices WHERE ${'('.repeat(33)}running${')'.repeat(33)}`,
    { code: 'QUERY_TOO_DEEP' },
  ],
  [
    'UPDATE devices SET desired.setpoint = 5 WHERE temperature > 80',
    { code: 'QUERY_UNSUPPORTED', at: 'UPDATE' },
  ],
  ['WATCH SELECT name FROM devices', { code: 'QUERY_UNSUPPORTED', at: 'WATCH ' }],
  [
    'UPDATE devices SET desired.temperature = 5 WHERE running',
    { code: 'QUERY_VALUE', at: 'desired.temperature' },
  ],
  [
    "UPDATE devices SET desired.setpoint = 'x' WHERE running",
    { code: 'QUERY_VALUE', at: "desired.setpoint = 'x'" },
  ],
  [
    'UPDATE devices SET desired.setpoint = 5',
    { code: 'QUERY_SYNTAX', at: 'devices', suggestion: 'WHERE true' },
  ],
];
