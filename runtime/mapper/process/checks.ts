/** Whether what a mapper's process says is what it may say (pure). The core believes nothing else. */
import { type SchemaIssue } from '@limpet/dmi';
import { type Checked } from './messages.ts';
import { unpackError } from './packed.ts';

/** A mapper's process said something that it may not: it is ended, and started afresh. */
export class ProtocolFault extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtocolFault';
  }
}

export type Fields = Readonly<Record<string, unknown>>;

/** @throws ProtocolFault */
export function fieldsOf(message: unknown): Fields {
  if (typeof message === 'object' && message !== null && !Array.isArray(message)) {
    return message as Fields;
  }
  throw new ProtocolFault('a message that is no object');
}

/** @throws ProtocolFault */
export function listOf(value: unknown, most: number, what: string): readonly unknown[] {
  if (Array.isArray(value) && value.length <= most) return value as unknown[];
  throw new ProtocolFault(`${what}: no list of at most ${most}`);
}

/** @throws ProtocolFault */
export function countOf(value: unknown, below: number, what: string): number {
  if (Number.isInteger(value) && Number(value) >= 0 && Number(value) < below) return Number(value);
  throw new ProtocolFault(`${what}: no whole number from 0 to ${below - 1}`);
}

/** @throws ProtocolFault */
export function errorOf(value: unknown): Error {
  return orFault('an error', () => unpackError(value));
}

/** @throws ProtocolFault */
export function truthOf(value: unknown, what: string): boolean {
  if (typeof value === 'boolean') return value;
  throw new ProtocolFault(`it does not say whether it has "${what}"`);
}

/** What `unpack` gives. @throws ProtocolFault */
export function orFault<T>(what: string, unpack: () => T): T {
  try {
    return unpack();
  } catch {
    throw new ProtocolFault(`${what} that is none`);
  }
}

const MAX_ISSUES = 100;
const MAX_PATH = 32;
const MAX_TEXT = 2_000;

/** The answers to so many checks. @throws ProtocolFault */
export function checkedOf(value: unknown, count: number): Checked[] {
  const answers = listOf(value, count, 'answers to checks');
  if (answers.length !== count) throw new ProtocolFault('fewer answers than checks');
  return answers.map((answer) => {
    if (answer === null) return null;
    if (typeof answer === 'string') return answer.slice(0, MAX_TEXT);
    if (Array.isArray(answer)) return listOf(answer, MAX_ISSUES, 'issues').map(issueOf);
    const { e } = fieldsOf(answer);
    errorOf(e);
    return { e: e as never };
  });
}

function issueOf(value: unknown): SchemaIssue {
  const { message, path } = fieldsOf(value);
  if (typeof message !== 'string') throw new ProtocolFault('an issue without message');
  const keys = path === undefined ? [] : listOf(path, MAX_PATH, 'the path of an issue');
  for (const key of keys) {
    if (typeof key === 'string' || typeof key === 'number') continue;
    throw new ProtocolFault('the path of an issue holds neither names nor numbers');
  }
  return { message: message.slice(0, MAX_TEXT), path: keys as (string | number)[] };
}

export interface Ready {
  readonly fits: boolean;
  readonly serves: boolean;
  readonly port: boolean;
  readonly back: boolean;
}

/** What the process says once it has loaded its mapper; texts: why it could not. @throws ProtocolFault */
export function readyOf(message: unknown, wireVersion: number): Ready | readonly string[] {
  const { t, wire, fits, serves, port, back, faults } = fieldsOf(message);
  if (t === 'broken') {
    return listOf(faults, MAX_ISSUES, 'faults').map((fault) => String(fault).slice(0, MAX_TEXT));
  }
  if (t !== 'ready') throw new ProtocolFault('it did not begin with ready');
  if (wire !== wireVersion) {
    throw new ProtocolFault(
      `it speaks another version (${String(wire).slice(0, 10)}) than the core`,
    );
  }
  return {
    fits: truthOf(fits, 'fits'),
    serves: truthOf(serves, 'serves'),
    port: truthOf(port, 'port'),
    back: truthOf(back, 'back'),
  };
}
