import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { evaluateSelect } from './evaluate.ts';
import { check, faultOf, parse, QueryError } from './index.ts';
import { makeParser, PARSER } from './make-parser.ts';
import { fleetOf, NOW, randomFleet } from './random-fleet.fixture.ts';
import { sqlCatalogOf } from './fleet-rows.fixture.ts';
import { HOSTILE, mutated } from './hostile.fixture.ts';
import { randomQuery } from './random-query.fixture.ts';
import { Random } from './random.fixture.ts';
import { compileSelect } from './sql/compile.ts';

test('the committed parser is what is made of the grammar', async () => {
  assert.equal(await readFile(PARSER, 'utf8'), await makeParser());
});

const raw = randomFleet(new Random(5), 4);
const fleet = fleetOf(raw);
const catalog = sqlCatalogOf(raw);
const CODE = /^QUERY_[A-Z_]+$/;

/** An answer or a typed error whose place is in the text; anything else is thrown. */
function outcome(text: string): 'answered' | 'refused' {
  try {
    const checked = check(parse(text), { catalog, now: NOW, text });
    const query = checked.kind === 'select' ? checked : checked.targets;
    evaluateSelect(query, fleet, { limit: 10 });
    compileSelect(query, { dialect: 'postgres', catalog, limit: 10 });
    return 'answered';
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    const { reason, offset, length, line, column, message } = faultOf(error, text);
    assert.match(reason, CODE);
    assert.ok(message.length > 0 && message.length < 2000);
    assert.ok(
      offset >= 0 && offset + length <= text.length,
      `${offset}+${length} of ${text.length}`,
    );
    assert.ok(line >= 1 && column >= 1);
    return 'refused';
  }
}

/** By default others in each run. */
const SEED = Number(process.env['QUERY_FUZZ_SEED'] ?? Math.floor(Date.now() / 1000));
const TEXTS = Number(process.env['QUERY_FUZZ_TEXTS'] ?? 40_000);

test(`${TEXTS} texts are answered or refused with a typed error (QUERY_FUZZ_SEED=${SEED})`, () => {
  const random = new Random(SEED);
  // Stacks of errors that are expected would take a third of the time.
  Error.stackTraceLimit = 0;
  const counts = { answered: 0, refused: 0 };
  for (let index = 0; index < TEXTS; index++) {
    const valid = index % 10 === 0;
    const text = valid
      ? randomQuery(random)
      : index % 10 < 9
        ? mutated(random, SHORT[index % SHORT.length] ?? '')
        : junk(random);
    try {
      const how = outcome(text);
      counts[how] += 1;
      if (valid) assert.equal(how, 'answered');
    } catch (error) {
      throw new Error(`seed ${SEED}, input ${index}: ${JSON.stringify(text)}`, { cause: error });
    }
  }
  Error.stackTraceLimit = 10;
  const many = TEXTS / 10;
  assert.ok(counts.answered > many && counts.refused > many, JSON.stringify(counts));
});

const SHORT = [
  'SELECT device FROM devices WHERE temperature > 80',
  "SELECT model, count(*) FROM devices WHERE labels.site = 'north' GROUP BY model HAVING count(*) > 1",
  'SELECT config.limits[0] FROM devices WHERE running ORDER BY 1 DESC LIMIT 5',
  "SELECT * FROM properties WHERE quality <> 'good' AND age(value) < 1m",
  'SELECT arch, percentile(uptime, 95) FROM nodes GROUP BY arch',
  "UPDATE devices SET desired.setpoint = 5 WHERE model = 'boiler' WITH canary = 5, stop after 3 failures DRY RUN",
  "SELECT name FROM models WHERE name LIKE 'b%' AND created > now() - 1h",
];

function junk(random: Random): string {
  return Array.from({ length: random.below(12) }, () => random.of(HOSTILE)).join(
    random.of(['', ' ']),
  );
}

const FULL = 'SELECT device FROM devices WHERE ';

for (const [what, text] of [
  ['parentheses', `${FULL}${'('.repeat(5000)}true${')'.repeat(5000)}`],
  ['NOTs', `${FULL}${'NOT '.repeat(4000)}true`],
  ['ANDs', `${FULL}true${' AND true'.repeat(1700)}`],
  ['durations', `${FULL}last_seen > now()${' - 1s'.repeat(3000)}`],
  ['a path', `SELECT config${'.a'.repeat(8000)} FROM devices`],
  ['columns', `SELECT ${'device,'.repeat(2000)}device FROM devices`],
  ['a list', `${FULL}setpoint IN (${'1,'.repeat(8000)}1)`],
  ['calls', `SELECT ${'min('.repeat(3000)}1${')'.repeat(3000)} FROM devices`],
  ['comments', `SELECT device FROM devices ${'/* */'.repeat(3000)}`],
  ['length', `SELECT '${'x'.repeat(20_000)}' FROM devices`],
] as const) {
  test(`a query that is nothing but ${what} does not overflow the stack`, () => {
    outcome(text);
  });
}
