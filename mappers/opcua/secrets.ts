/** Text that settings hold, or name a file of. */
import { Misconfigured } from '@limpet/dmi';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Secret } from './settings.ts';

/** The text, trimmed at its end. @throws Misconfigured OPCUA_FILE, OPCUA_FOLDER */
export async function reveal(secret: Secret, folder: string | undefined): Promise<string> {
  if ('text' in secret) return secret.text;
  if (folder === undefined) throw noFolder();
  try {
    return (await readFile(path.join(folder, secret.file), 'utf8')).trimEnd();
  } catch (error) {
    const { code } = error as { code?: string };
    const message = `${secret.file} cannot be read from ${folder} (${code ?? 'unknown'}); put it there`;
    throw new Misconfigured('OPCUA_FILE', message);
  }
}

/** Where the mapper has no folder, it can keep neither key nor trust. */
export function noFolder(): Misconfigured {
  return new Misconfigured(
    'OPCUA_FOLDER',
    'security needs a folder for keys and trusted certificates, and here is none: give limpet discover an edge with --config limpet.yaml, and let an edge run this mapper in a process of its own (hosting: process); or set security: none',
  );
}
