/**
 * A small mapper that keeps every promise, and quirks that each break one: JSON lines, `{"id":1,"get":["a"]}` or
 * `{"id":2,"set":"a","to":5}`, answered with `{"id":1,"of":[{"value":5}]}`. After `{"id":3,"watch":["a"]}` each
 * change of those comes as `{"told":"a","value":6}`; bools are not told. `{"id":4,"run":"m","with":[1]}` runs a method,
 * `{"id":5,"list":true}` tells all there is. A request with a `unit` is answered by that one alone.
 */
import * as v from 'valibot';
import {
  defineMapper,
  type Found,
  type Json,
  type Mapper,
  type MapperContext,
  type PropertyType,
  type Search,
  Unreachable,
} from '../index.ts';
import { exact } from '../manifest/schema.ts';
import { TinyConnection } from './tiny-connection.fixture.ts';

export type Quirk =
  | 'badly named'
  | 'never fits'
  | 'fits with a boolean'
  | 'schema throws'
  | 'loose schema'
  | 'a new port each time'
  | 'fails with a plain error'
  | 'dials without the signal'
  | 'sorts the answers'
  | 'numbers as text'
  | 'refusal spoils the batch'
  | 'refuses an empty batch'
  | 'takes each chunk for an answer'
  | 'leaves listeners'
  | 'says what was asked, not what is'
  | 'remembers what it wrote'
  | 'reads only once'
  | 'writes a neighbour too'
  | 'writes anything'
  | 'a refused write is a value'
  | 'answers for what it did not write'
  | 'ignores abort'
  | 'a cut is Garbled'
  | 'does not hear a hang-up'
  | 'makes up a value for nonsense'
  | 'makes up a value for half an answer'
  | 'listens to no errors'
  | 'keeps the wire'
  | 'close throws after a cut'
  | 'close throws the second time'
  | 'opens only once'
  | 'only polls'
  | 'refuses to subscribe'
  | 'cannot tell what was not wished'
  | 'tells under the next index'
  | 'tells no start'
  | 'tells no change'
  | 'tells after its end'
  | 'loses in silence'
  | 'loses twice'
  | 'tells everything thrice'
  | 'subscribes only once'
  | 'slow to abort'
  | 'leaves the wire when the greeting fails'
  | 'a lost greeting is a plain error'
  | 'does not hear a cut'
  | 'close waits for an end that never comes'
  | 'close cuts the wire for all'
  | 'drops late answers'
  | 'takes any answer'
  | 'keeps answers for later'
  | 'makes up a value for silence'
  | 'keeps whatever comes'
  | 'keeps a buffer per connection'
  | 'ignores the unit'
  | 'serves nothing'
  | 'calls twice'
  | 'a refused call is a value'
  | 'repeats a lost call'
  | 'finds what cannot be opened'
  | 'finds properties that it cannot read'
  | 'finds without looking';

export type Settings = { readonly address: string; readonly unit?: number | undefined };
export type Visitor = { readonly key: string };
/** Opens the wire; by default `context.dial`. */
export type Dial = MapperContext['dial'];

/** The mapper, with one promise broken or none. */
export function tinyMapper(quirk?: Quirk, dial?: Dial): Mapper<Settings, Visitor> {
  const loose = quirk === 'loose schema';
  const settings: v.GenericSchema<unknown, Settings> = exact({
    address: v.string(),
    unit: v.optional(v.number()),
  });
  const visitor: v.GenericSchema<unknown, Visitor> = loose
    ? v.object({ key: v.string() })
    : exact({ key: v.string() });
  const throwing = v.pipe(
    v.unknown(),
    v.check((value) => typeof (value as { key: unknown }).key === 'string'),
  ) as v.GenericSchema<unknown, Visitor>;
  let opened = 0;
  const kept: Buffer[] = [];
  return defineMapper({
    protocol: quirk === 'badly named' ? 'Tiny Mapper' : 'tiny',
    settings,
    visitor: quirk === 'schema throws' ? throwing : visitor,
    fits(_, { type }) {
      if (quirk === 'fits with a boolean') return false as unknown as string;
      return type === 'json' || quirk === 'never fits'
        ? 'a tiny device holds no objects'
        : undefined;
    },
    port: ({ address }) => (quirk === 'a new port each time' ? `${address}#${opened++}` : address),
    serves: () => (quirk === 'serves nothing' ? 'a tiny device has no methods' : undefined),
    discover: (search, context, signal) => discover(search, context, signal, { dial, quirk }),
    async connect(settings, context, signal) {
      if (quirk === 'keeps a buffer per connection') kept.push(Buffer.alloc(1024, 1));
      if (quirk === 'opens only once' && opened++ > 0) throw new Unreachable('TINY', 'in use');
      const own = quirk === 'dials without the signal' ? new AbortController().signal : signal;
      const wire = await opening(quirk, () => (dial ?? context.dial)(settings.address, own));
      const connection = new TinyConnection(wire, settings, context, quirk);
      try {
        await opening(quirk, () => connection.greet(signal));
      } catch (error) {
        if (quirk !== 'leaves the wire when the greeting fails') await connection.close();
        throw error;
      }
      return connection;
    },
  });
}

async function opening<T>(quirk: Quirk | undefined, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    const plain =
      quirk === 'fails with a plain error' || quirk === 'a lost greeting is a plain error';
    throw plain ? new Error('it failed') : error;
  }
}

function typeOf(value: Json, quirk: Quirk | undefined): PropertyType {
  if (quirk === 'finds properties that it cannot read') return 'json';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'number' ? 'float' : 'string';
}

async function* discover(
  { where = '' }: Search,
  context: MapperContext,
  signal: AbortSignal,
  { dial, quirk }: { readonly dial: Dial | undefined; readonly quirk: Quirk | undefined },
): AsyncGenerator<Found> {
  const found: Found = {
    name: 'tiny',
    about: 'a tiny device',
    settings: { address: quirk === 'finds what cannot be opened' ? 5 : where },
  };
  if (quirk === 'finds without looking') return yield found;
  const wire = await (dial ?? context.dial)(where, signal);
  const connection = new TinyConnection(wire, { address: where }, context, quirk);
  try {
    const held = await connection.list(signal);
    const properties = Object.entries(held).map(([name, value]) => ({
      name,
      type: typeOf(value, quirk),
      visitor: { key: name },
    }));
    yield { ...found, model: { properties } };
  } finally {
    await connection.close();
  }
}
