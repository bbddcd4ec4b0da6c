/** Reads `labelSelector` and `fieldSelector` as Kubernetes writes them. Faults name the character, from 1. */
import type { Kind } from '@limpet/dmi/manifest';
import { KINDS } from './kinds.ts';
import type { FieldRequirement, LabelRequirement, SelectableField } from './selector.ts';
import { badRequest } from './status.ts';

const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const FIELDS: readonly SelectableField[] = [
  'metadata.name',
  'metadata.namespace',
  'spec.node',
  'spec.model',
];
/** Far beyond any selector a person writes; bounds the work that one request can ask of each object. */
const MOST_REQUIREMENTS = 64;
const MOST_VALUES = 256;

/** `a=b,c!=d,e in (f,g),h notin (i),j,!k` @throws ApiError BadRequest */
export function parseLabelSelector(text: string): readonly LabelRequirement[] {
  return new Reader('labelSelector', text).requirements((reader) => labelRequirement(reader));
}

/** `metadata.name=a,spec.node!=b` @throws ApiError BadRequest */
export function parseFieldSelector(text: string, kind: Kind): readonly FieldRequirement[] {
  return new Reader('fieldSelector', text).requirements((reader) => fieldRequirement(reader, kind));
}

function labelRequirement(reader: Reader): LabelRequirement {
  if (reader.takes('!')) return { key: labelKey(reader), operator: 'absent', values: [] };
  const key = labelKey(reader);
  if (reader.takes('!=')) return { key, operator: 'notin', values: [labelValue(reader)] };
  if (reader.takes('==') || reader.takes('=')) {
    return { key, operator: 'in', values: [labelValue(reader)] };
  }
  if (reader.ended() || reader.sees(',')) return { key, operator: 'exists', values: [] };
  const operator = reader.word();
  if (operator.text === 'in' || operator.text === 'notin') {
    return { key, operator: operator.text, values: labelValues(reader) };
  }
  throw reader.fault(operator.at, 'expected =, ==, !=, in, notin or a comma');
}

function labelKey(reader: Reader): string {
  const { text, at } = reader.word();
  const [name = '', prefix, ...more] = text.split('/').toReversed();
  const prefixed =
    prefix === undefined || (more.length === 0 && prefix.length <= 253 && PREFIX.test(prefix));
  if (prefixed && NAME.test(name)) return text;
  throw reader.fault(
    at,
    'expected a label key: at most 63 of A-Z a-z 0-9 - _ . with a letter or digit at both ends, optionally after a DNS name and a slash',
  );
}

function labelValue(reader: Reader): string {
  const { text, at } = reader.word();
  if (text === '' || NAME.test(text)) return text;
  throw reader.fault(
    at,
    'expected a label value: nothing, or at most 63 of A-Z a-z 0-9 - _ . with a letter or digit at both ends',
  );
}

function labelValues(reader: Reader): readonly string[] {
  if (!reader.takes('(')) throw reader.fault(reader.at(), 'expected ( before the values');
  const values = [labelValue(reader)];
  while (reader.takes(',')) {
    if (values.length === MOST_VALUES) {
      throw reader.fault(reader.at(), `expected at most ${MOST_VALUES} values`);
    }
    values.push(labelValue(reader));
  }
  if (!reader.takes(')')) throw reader.fault(reader.at(), 'expected , or ) after a value');
  return values;
}

function fieldRequirement(reader: Reader, kind: Kind): FieldRequirement {
  const word = reader.word();
  const known = FIELDS.filter((field) => isFieldOf(field, kind));
  const field = known.find((name) => name === word.text);
  if (field === undefined) {
    const plural = KINDS[kind].plural;
    throw reader.fault(word.at, `${plural} can be selected by ${known.join(', ')}`);
  }
  if (reader.takes('!=')) return { field, operator: '!=', value: reader.word().text };
  if (reader.takes('==') || reader.takes('=')) {
    return { field, operator: '=', value: reader.word().text };
  }
  throw reader.fault(reader.at(), 'expected =, == or !=');
}

function isFieldOf(field: SelectableField, kind: Kind): boolean {
  if (field === 'metadata.namespace') return KINDS[kind].namespaced;
  return field === 'metadata.name' || kind === 'Device';
}

/** Words and marks of a selector, spaces between them aside. */
class Reader {
  readonly #parameter: string;
  readonly #text: string;
  #next = 0;

  constructor(parameter: string, text: string) {
    this.#parameter = parameter;
    this.#text = text;
    this.#skipSpaces();
  }

  /** The whole text: requirements with commas between; none at all is fine. */
  requirements<T>(requirement: (reader: Reader) => T): readonly T[] {
    const found: T[] = [];
    if (this.ended()) return found;
    do {
      if (found.length === MOST_REQUIREMENTS) {
        throw this.fault(this.at(), `expected at most ${MOST_REQUIREMENTS} requirements`);
      }
      found.push(requirement(this));
    } while (this.takes(','));
    if (!this.ended()) throw this.fault(this.at(), 'expected a comma or the end');
    return found;
  }

  at(): number {
    return this.#next;
  }

  ended(): boolean {
    return this.#next >= this.#text.length;
  }

  sees(mark: string): boolean {
    return this.#text.startsWith(mark, this.#next);
  }

  takes(mark: string): boolean {
    if (!this.sees(mark)) return false;
    this.#next += mark.length;
    this.#skipSpaces();
    return true;
  }

  /** Everything up to the next mark or space; may be empty. */
  word(): { readonly text: string; readonly at: number } {
    const at = this.#next;
    while (!this.ended() && !/[\s=!,()]/.test(this.#text.charAt(this.#next))) this.#next += 1;
    const text = this.#text.slice(at, this.#next);
    this.#skipSpaces();
    return { text, at };
  }

  fault(at: number, expected: string): Error {
    const found = at >= this.#text.length ? 'the end' : `"${this.#text.slice(at, at + 20)}"`;
    return badRequest(`${this.#parameter}: at character ${at + 1}: ${expected}, found ${found}`);
  }

  #skipSpaces(): void {
    while (/\s/.test(this.#text.charAt(this.#next))) this.#next += 1;
  }
}
