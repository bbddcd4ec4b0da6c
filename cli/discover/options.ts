/** The options of `limpet discover`, checked before looking takes its time. */
import type { Json } from '@limpet/dmi';
import { duration, formatFaults, isJson } from '@limpet/dmi/manifest';
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { type EdgeConfig, readConfig } from '../../runtime/config.ts';
import { CliError, explain, usage } from '../cli-error.ts';
import { readFileOf } from '../target.ts';

const LONGEST_MS = 3_600_000;

/** `NAME=VALUE` words. @throws CliError USAGE */
export function settingsOf(words: readonly string[]): { readonly [name: string]: Json } {
  const settings = new Map<string, Json>();
  for (const word of words) {
    const at = word.indexOf('=');
    if (at <= 0) throw usage(`--set "${word.slice(0, 40)}" is not NAME=VALUE.`);
    settings.set(word.slice(0, at), looseValue(word.slice(at + 1)));
  }
  return Object.fromEntries(settings);
}

/** JSON where it is some, else text: what a setting has to be, only its mapper knows. */
function looseValue(text: string): Json {
  try {
    const value: unknown = JSON.parse(text);
    return isJson(value, 65_536) ? value : text;
  } catch {
    return text;
  }
}

/** A file may have been mended by hand since it was written, and looking is for nothing where none can be. */
export function refuseFile(file: string | undefined): void {
  if (file === undefined || file === '-') return;
  if (existsSync(file)) {
    const message = `${file} is there already: name another file, or move it away.`;
    throw new CliError(1, 'FILE_EXISTS', message);
  }
  const folder = path.dirname(path.resolve(file));
  try {
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    const { code = 'unknown error' } = cause as NodeJS.ErrnoException;
    const message = `${file} cannot be written (${code} at ${folder}): name another file with -o.`;
    throw new CliError(1, 'FILE_UNWRITABLE', message, { cause });
  }
}

/** @throws CliError CONFIG_INVALID, FILE_UNREADABLE */
export function configOf(file: string | undefined, option = '--config'): EdgeConfig | undefined {
  if (file === undefined) return undefined;
  readFileOf(option, file);
  const read = readConfig(file);
  if (read.ok) return read.config;
  throw new CliError(78, 'CONFIG_INVALID', formatFaults(read.faults));
}

/** The mapper's own, where certificates lie; only an edge has one. */
export function folderOf(config: EdgeConfig | undefined, protocol: string): string | undefined {
  if (config === undefined) return undefined;
  const folder = path.join(config.data, 'mappers', protocol);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  } catch (error) {
    const { message } = explain(error);
    throw new CliError(1, 'FOLDER', `${folder} cannot be used: ${message}`, { cause: error });
  }
}

/** @throws CliError USAGE */
export function milliseconds(text: string): number {
  const ms = duration(text);
  if (ms !== undefined && ms > 0 && ms <= LONGEST_MS) return ms;
  throw usage(`--timeout must be a duration such as 30s or 5m, at most 1h; found "${text}".`);
}
