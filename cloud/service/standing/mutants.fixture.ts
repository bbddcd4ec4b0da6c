/** Standing queries broken on purpose, one rule at a time, from outside: what the simulation must notice. */
import { HeldRows } from '#protocol/api';
import type { Row, Sql, SqlValue } from '../store/sql.ts';
import type { StandingReads } from './reads.ts';
import { RowsAsking } from './rows.ts';
import { Teller } from './teller.ts';
import { type Offer, Told } from './told.ts';

export interface Mutant {
  readonly name: string;
  reads?(reads: StandingReads): StandingReads;
  /** Returns the way back. */
  patch?(): () => void;
}

type Answered = (rows: readonly Row[], text: string, values: readonly SqlValue[]) => readonly Row[];

/** A database that answers some statements otherwise. */
function lying(name: string, answered: Answered): Mutant {
  const told = (sql: Pick<Sql, 'dialect' | 'all'>): Sql => {
    const changed = async (text: string, ...values: readonly SqlValue[]) =>
      answered(await sql.all<Row>(text, ...values), text, values);
    return { dialect: sql.dialect, all: changed } as unknown as Sql;
  };
  return {
    name,
    reads: (real) => ({
      look: (work) => real.look((sql) => work(told(sql))),
      scan: (work) => real.scan((sql) => work(told(sql))),
      catalog: () => real.catalog(),
    }),
  };
}

function patched<Class extends object, Name extends keyof Class>(
  name: string,
  [of, method]: readonly [{ readonly prototype: Class }, Name],
  made: (real: Class[Name]) => Class[Name],
): Mutant {
  return {
    name,
    patch: () => {
      const real = of.prototype[method];
      of.prototype[method] = made(real);
      return () => (of.prototype[method] = real);
    },
  };
}

const isChanges = (text: string): boolean => text.includes('FROM marks k JOIN');

export const MUTANTS: readonly Mutant[] = [
  lying('deletions are not followed', (rows, text) =>
    text.includes('FROM deletions') ? [] : rows,
  ),
  lying('nodes are not followed', (rows, text, [kind]) =>
    isChanges(text) && kind === 'Node' ? [] : rows,
  ),
  lying('models are not followed', (rows, text, [kind]) =>
    isChanges(text) && kind === 'DeviceModel' ? [] : rows,
  ),
  lying('the last of a full page is passed over', (rows, text, values) =>
    isChanges(text) && rows.length > 1 && rows.length === values[2] ? rows.slice(0, -1) : rows,
  ),
  patched('what did not arrive is not looked at again', [Told, 'rewind'], (real) => {
    return function (this: Told, seq) {
      return real.call(this, seq) && new Set();
    };
  }),
  patched('what did not arrive is taken for received', [Teller, 'rewind'], () => () => new Set()),
  patched('nothing leaves', [Told, 'offer'], (real) => {
    return function (this: Told, offer: Offer) {
      return offer.digest === undefined ? undefined : real.call(this, offer);
    };
  }),
  patched('nothing is different', [Told, 'offer'], (real) => {
    return function (this: Told, { digest, ...offer }: Offer) {
      return real.call(this, { ...offer, digest: digest === undefined ? digest : 1 });
    };
  }),
  patched(
    'a forgotten reader is believed to have everything',
    [Teller, 'agrees'],
    () => () => true,
  ),
  patched('time alone changes nothing', [RowsAsking, 'due'], (real) => {
    return function (this: RowsAsking, plan) {
      return real.call(this, { ...plan, clocked: false });
    };
  }),
  patched('a change does not wake', [RowsAsking, 'stir'], () => () => undefined),
  patched('the client keeps what is not told again', [HeldRows, 'take'], (real) => {
    return function (this: HeldRows, event) {
      return event.type === 'bookmark' ? [] : real.call(this, event);
    };
  }),
];
