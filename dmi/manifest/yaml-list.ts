/**
 * A large model in pieces: the parser takes some two hundred times the size of its text, so the properties are parsed a
 * few at a time, and the document without them.
 */
import type { Fault, Position } from './fault.ts';
import type { YamlDocument } from './yaml.ts';

/** Text of a file, and the lines of the file before it. */
export interface Piece {
  readonly text: string;
  readonly above: number;
}

type Parse = (piece: Piece) => readonly YamlDocument[];

/** What is parsed together outlives a young collection, and so is garbage that stays: few. */
const AT_A_TIME = 5;
/** A longer list is parsed as a whole, or refused: no model has so many. */
const MAX_ITEMS = 10_000;
/** After so many the rest is not worth reading. */
const MAX_FAULTS = 20;
const KEY = /^ *properties:[ \t\r]*(?:#.*)?$/m;
const LIST = 'spec.properties';
/** An anchor or an alias, which would lead from one piece to another. */
const REFERENCE = /(?:^|[\s,[{:])[&*][^\s,[\]{}]/m;

/** `undefined` where `piece` is no document with such a list: then it is parsed as a whole. */
export function parseInPieces(piece: Piece, parse: Parse): YamlDocument | undefined {
  const cut = cutList(piece);
  if (cut === undefined) return undefined;
  const { head, place, groups, after } = cut;
  const [rest, second] = parse(head);
  if (rest === undefined || second !== undefined) return undefined;
  const moved = <At extends Partial<Position>>(at: At): At =>
    at.line !== undefined && at.line > place.line ? { ...at, line: at.line + after } : at;
  if (rest.faults.length > 0) return { ...rest, faults: rest.faults.map(moved) };
  // Else the line only looks like the list of a model's properties: it can stand in a text.
  const { line, column } = rest.locate(LIST);
  const list = listIn(rest.value);
  if (list === undefined || line !== place.line || column !== place.column) return undefined;
  const { items, faults, parts } = parseGroups(groups, parse);
  for (const item of items) list.push(item);
  const locate: YamlDocument['locate'] = (path, part) =>
    locateIn(parts, path, part) ?? moved(rest.locate(path, part));
  return { value: rest.value, faults, locate };
}

function parseGroups(groups: readonly Piece[], parse: Parse) {
  const [items, faults, parts]: [unknown[], Fault[], Part[]] = [[], [], []];
  for (const group of groups) {
    if (faults.length >= MAX_FAULTS) break;
    const [document] = parse(group);
    if (document === undefined) continue;
    faults.push(...document.faults);
    parts.push({ from: items.length, locate: document.locate });
    if (Array.isArray(document.value)) items.push(...(document.value as unknown[]));
  }
  return { items, faults, parts };
}

interface Part {
  /** Index of its first item in the whole list. */
  readonly from: number;
  readonly locate: YamlDocument['locate'];
}

function locateIn(
  parts: readonly Part[],
  path: string,
  part?: 'key' | 'value',
): Position | undefined {
  const [, digits, below = ''] = /^spec\.properties\[(\d+)\](.*)$/s.exec(path) ?? [];
  if (digits === undefined) return undefined;
  const at = parts.findLast(({ from }) => from <= Number(digits));
  return at?.locate(`[${Number(digits) - at.from}]${below}`, part);
}

/** The list that stands for the long one. */
function listIn(value: unknown): unknown[] | undefined {
  const { spec } = (value ?? {}) as { spec?: unknown };
  const { properties } = (spec ?? {}) as { properties?: unknown };
  return Array.isArray(properties) && properties.length === 0
    ? (properties as unknown[])
    : undefined;
}

interface Cut {
  /** The document, with an empty list in the place of the long one. */
  readonly head: Piece;
  /** Where that list stands in the file. */
  readonly place: { readonly line: number; readonly column: number };
  /** How many lines lower than in `head` everything behind the list stands. */
  readonly after: number;
  readonly groups: readonly Piece[];
}

/** By indentation alone, which is what ends a list in YAML: whatever an item holds stands deeper than its dash. */
function cutList({ text, above }: Piece): Cut | undefined {
  const key = KEY.exec(text);
  if (key === null) return undefined;
  const colon = text.indexOf(':', key.index) + 1;
  const begin = lineEnd(text, key.index);
  const line = linesIn(text, begin);
  const found = itemsFrom(text, { at: begin, line });
  if (found === undefined || REFERENCE.test(text.slice(begin, found.end.at))) return undefined;
  const { groups, end } = found;
  return {
    head: { text: `${text.slice(0, colon)} []\n${text.slice(end.at)}`, above },
    place: { line: above + line, column: colon - key.index + 2 },
    after: end.line - line,
    groups: groups.map((group) => ({ text: group.text, above: above + group.above })),
  };
}

interface Place {
  readonly at: number;
  /** Lines before it. */
  readonly line: number;
}

/** The items of the list that begins there, in groups, and where it ends. */
function itemsFrom(text: string, begin: Place): { groups: Piece[]; end: Place } | undefined {
  const groups: Piece[] = [];
  let [start, { at, line }] = [begin, begin];
  let [dash, items] = [-1, 0];
  const close = (): void => {
    groups.push({ text: text.slice(start.at, at), above: start.line });
    start = { at, line };
  };
  for (let next = at; at < text.length; at = next, line++) {
    next = lineEnd(text, at);
    const part = partOf(text.slice(at, next), dash);
    if (part.kind === 'inside') continue;
    if (part.kind === 'end') break;
    dash = part.indent;
    if (items > 0 && items % AT_A_TIME === 0) close();
    items++;
  }
  close();
  return items > 0 && items <= MAX_ITEMS ? { groups, end: start } : undefined;
}

type LinePart =
  | { readonly kind: 'inside' }
  | { readonly kind: 'end' }
  /** An item begins. */
  | { readonly kind: 'item'; readonly indent: number };

/** What a line is to a list whose dashes stand at `dash`; below 0: none was seen yet. */
function partOf(line: string, dash: number): LinePart {
  if (/^\s*(#|$)/.test(line)) return { kind: 'inside' };
  const indent = line.length - line.replace(/^ +/, '').length;
  if (dash >= 0 && indent > dash) return { kind: 'inside' };
  const item = /^ *-(\s|$)/.test(line) && (dash < 0 || indent === dash);
  return item ? { kind: 'item', indent } : { kind: 'end' };
}

/** Where the line that holds `at` is over. */
function lineEnd(text: string, at: number): number {
  const newline = text.indexOf('\n', at);
  return newline < 0 ? text.length : newline + 1;
}

function linesIn(text: string, end: number): number {
  let count = 0;
  for (let at = 0; at < end; at = lineEnd(text, at)) count++;
  return count;
}
