/** What `limpet mapper dev` shows: a table and what happened lately, or lines of JSON (pure). */
import type { Json } from '@limpet/dmi';
import type { Property } from '@limpet/dmi/manifest';
import type { Answer } from '../../../runtime/device/convert.ts';
import { cell, layOut, type Table } from '../../render/table.ts';
import { valueText } from '../../render/words.ts';
import type { State } from './session.ts';

export interface Picture {
  readonly title: string;
  readonly state: State;
  readonly properties: readonly Property[];
  readonly answers: readonly (Answer | undefined)[];
  /** The newest last. */
  readonly notes: readonly string[];
}

export function pictureLines(
  { title, state, properties, answers, notes }: Picture,
  look: { readonly colour: boolean; readonly columns: number },
): readonly string[] {
  const rows = properties.map((property, index) => row(property, answers[index], state));
  const table: Table = { head: ['PROPERTY', 'VALUE', 'UNIT', 'QUALITY', 'ACCESS'], rows };
  return [title, stateText(state), '', ...layOut(table, look), '', ...notes];
}

/** The same for programs. */
export function pictureJson({
  state,
  properties,
  answers,
}: Omit<Picture, 'title' | 'notes'>): Json {
  const values: Record<string, Json> = {};
  const bad: Record<string, Json> = {};
  for (const [index, { name }] of properties.entries()) {
    const said = answers[index];
    if (said?.ok === true) values[name] = said.value;
    if (said?.reason !== undefined)
      bad[name] = { code: said.reason.code, message: said.reason.message };
  }
  return { event: 'values', state: state.kind, values, bad };
}

function stateText(state: State): string {
  if (state.kind !== 'lost') return state.kind;
  return `lost: ${errorText(state.error)}`;
}

/** `Unreachable LINE_TIMEOUT: no answer …` */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  return `${error.name}${typeof code === 'string' ? ` ${code}` : ''}: ${error.message}`;
}

function row(property: Property, said: Answer | undefined, state: State): Table['rows'][number] {
  const { name, unit = '', access = 'read' } = property;
  const value = said?.ok === true ? valueText(said.value) : '-';
  const reason = said?.reason;
  const stale = state.kind !== 'connected';
  const [quality, tone] =
    said === undefined
      ? (['-', 'dim'] as const)
      : reason !== undefined
        ? ([`bad ${reason.code}`, 'bad'] as const)
        : stale
          ? (['stale', 'warn'] as const)
          : (['good', 'good'] as const);
  return [cell(name), cell(value), cell(unit, 'dim'), cell(quality, tone), cell(access, 'dim')];
}
