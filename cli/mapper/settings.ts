/** Settings that a person gives on a command line: of a file, and one by one. */
import type { Json } from '@limpet/dmi';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { CliError, usage } from '../cli-error.ts';

/** A file's first, then each `NAME=VALUE` over it; a value is JSON where it is that, else text. @throws CliError */
export function givenSettings(options: {
  readonly settings?: string;
  readonly set?: readonly string[];
}): { readonly [key: string]: Json } {
  const given: Record<string, Json> = { ...ofFile(options.settings) };
  for (const each of options.set ?? []) {
    const [, name, value] = /^([A-Za-z_][\w-]*)=(.*)$/s.exec(each) ?? [];
    if (name === undefined || value === undefined) {
      throw usage(`--set takes NAME=VALUE, not "${each}".`);
    }
    given[name] = valueOf(value);
  }
  return given;
}

function ofFile(file: string | undefined): { readonly [key: string]: Json } {
  if (file === undefined) return {};
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8'), { maxAliasCount: 0 });
  } catch (error) {
    throw new CliError(1, 'FILE_UNREADABLE', `${file} cannot be read: ${(error as Error).message}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as { readonly [key: string]: Json };
  }
  throw new CliError(1, 'FILE_UNREADABLE', `${file} must hold settings: NAME: VALUE on each line`);
}

function valueOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    // Then it is text.
    return text;
  }
}
